import { open } from 'node:fs/promises';

const HEADER_BYTES = 10;
/** No music has as many; to read them costs a microsecond and some hundred bytes each. */
const MAX_FRAMES = 1_000;

/** Whether the file begins with an ID3v2 tag of more frames than any music has (https://id3.org/id3v2.4.0-structure). */
export async function hasTooManyFrames(localPath: string): Promise<boolean> {
  const file = await open(localPath, 'r');
  try {
    const header = Buffer.alloc(HEADER_BYTES);
    const readAt = async (position: number): Promise<boolean> =>
      (await file.read(header, 0, HEADER_BYTES, position)).bytesRead === HEADER_BYTES;
    if (!(await readAt(0)) || header.toString('latin1', 0, 3) !== 'ID3') return false;
    const version = header[3] ?? 0;
    const end = HEADER_BYTES + syncsafe(header, 6);
    const frameHeaderBytes = version === 2 ? 6 : HEADER_BYTES;
    let position = HEADER_BYTES;
    for (let frames = 0; position < end; frames++) {
      if (frames >= MAX_FRAMES) return true;
      // A zero is padding, and the end of the frames.
      if (!(await readAt(position)) || header[0] === 0) return false;
      const size =
        version === 2
          ? header.readUIntBE(3, 3)
          : version === 3
            ? header.readUInt32BE(4)
            : syncsafe(header, 4);
      position += frameHeaderBytes + size;
    }
    return false;
  } finally {
    await file.close();
  }
}

/** 28 bits in four bytes. */
function syncsafe(bytes: Buffer, offset: number): number {
  return [0, 1, 2, 3].reduce((value, i) => (value << 7) | ((bytes[offset + i] ?? 0) & 0x7f), 0);
}
