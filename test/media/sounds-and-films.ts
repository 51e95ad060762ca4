/** Tiny files of sound and moving pictures, built box by box as their formats say. */

const uint32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};
const uint16 = (value: number): Buffer => uint32(value).subarray(2);

/** ISO/IEC 14496-12. */
const box = (type: string, ...parts: Buffer[]): Buffer => {
  const body = Buffer.concat(parts);
  return Buffer.concat([uint32(8 + body.length), Buffer.from(type, 'latin1'), body]);
};

const IDENTITY = [0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000];
const QUARTER_TURN = [0, 0x10000, 0, -0x10000 >>> 0, 0, 0, 0, 0, 0x40000000];

interface IsoOptions {
  brand?: string;
  durationMs?: number;
  video?: { width: number; height: number; turned?: boolean };
  sound?: boolean;
  /** 64-bit times, as long recordings have. */
  version?: 0 | 1;
  /** The movie says nothing of its length: an index of segments does, as in recordings in fragments. */
  fragmented?: 'mehd' | 'sidx';
}

function mvhd(version: 0 | 1, timescale: number, duration: number): Buffer {
  const times =
    version === 1
      ? [Buffer.alloc(16), uint32(timescale), uint32(0), uint32(duration)]
      : [Buffer.alloc(8), uint32(timescale), uint32(duration)];
  return box('mvhd', Buffer.from([version, 0, 0, 0]), ...times, Buffer.alloc(80));
}

function track(handler: 'vide' | 'soun', version: 0 | 1, video?: IsoOptions['video']): Buffer {
  const matrix = video?.turned ? QUARTER_TURN : IDENTITY;
  const tkhd = box(
    'tkhd',
    Buffer.from([version, 0, 0, 3]),
    Buffer.alloc(version === 1 ? 32 : 20),
    Buffer.alloc(16),
    ...matrix.map(uint32),
    uint32((video?.width ?? 0) << 16),
    uint32((video?.height ?? 0) << 16),
  );
  const hdlr = box('hdlr', Buffer.alloc(8), Buffer.from(handler), Buffer.alloc(13));
  return box('trak', tkhd, box('mdia', hdlr));
}

/** MP4, M4A or QuickTime (`brand` is `isom`, `M4A ` or `qt  `). */
export function makeIsoMedia({
  brand = 'isom',
  durationMs = 1500,
  video,
  sound = true,
  version = 0,
  fragmented,
}: IsoOptions): Buffer {
  const tracks = [
    ...(video ? [track('vide', version, video)] : []),
    ...(sound ? [track('soun', version)] : []),
  ];
  const mehd = box('mehd', Buffer.alloc(4), uint32(durationMs));
  const sidx = box(
    'sidx',
    Buffer.alloc(4),
    uint32(1),
    uint32(1000),
    Buffer.alloc(8),
    uint16(0),
    uint16(2),
    ...[durationMs - 500, 500].flatMap((ms) => [uint32(1000), uint32(ms), uint32(0)]),
  );
  return Buffer.concat([
    box('ftyp', Buffer.from(brand.padEnd(4)), uint32(512), Buffer.from(brand.padEnd(4))),
    // Some write what is long first, with its length in 64 bits.
    Buffer.concat([uint32(1), Buffer.from('mdat'), uint32(0), uint32(16 + 100), Buffer.alloc(100)]),
    box(
      'moov',
      mvhd(version, 1000, fragmented ? 0 : durationMs),
      ...tracks,
      ...(fragmented === 'mehd' ? [box('mvex', mehd)] : []),
    ),
    ...(fragmented === 'sidx' ? [sidx] : []),
  ]);
}

/** https://www.rfc-editor.org/rfc/rfc8794 */
function element(id: number, ...parts: Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  const idBytes = Buffer.from(id.toString(16), 'hex');
  const size = uint32(body.length);
  size[0] = 0x10 | size[0]!;
  return Buffer.concat([idBytes, size, body]);
}

/** As browsers record: lengths that are not known yet. */
const endless = (id: number, ...parts: Buffer[]): Buffer =>
  Buffer.concat([Buffer.from(id.toString(16), 'hex'), Buffer.from('01ffffffffffffff', 'hex'), ...parts]);

interface WebmOptions {
  durationMs: number;
  video?: { width: number; height: number };
  /** Without a length in its head, so that the blocks tell it. */
  recorded?: boolean;
}

export function makeWebm({ durationMs, video, recorded = false }: WebmOptions): Buffer {
  const duration = Buffer.alloc(8);
  duration.writeDoubleBE(durationMs);
  const info = element(
    0x1549a966,
    element(0x2ad7b1, uint32(1_000_000)),
    ...(recorded ? [] : [element(0x4489, duration)]),
  );
  const pictures =
    video && element(0xe0, element(0xb0, uint16(video.width)), element(0xba, uint16(video.height)));
  const tracks = element(
    0x1654ae6b,
    ...(pictures
      ? [element(0xae, element(0xd7, Buffer.from([1])), element(0x83, Buffer.from([1])), pictures)]
      : []),
    element(0xae, element(0xd7, Buffer.from([2])), element(0x83, Buffer.from([2]))),
  );
  const block = (offset: number): Buffer =>
    element(0xa3, Buffer.from([0x82]), uint16(offset), Buffer.from([0x80]), Buffer.alloc(20));
  const cluster = (at: number, last: number): Buffer[] => [element(0xe7, uint32(at)), block(0), block(last)];
  const clusters = [cluster(0, 300), cluster(durationMs - 200, 200)];
  const wrap = recorded ? endless : element;
  return Buffer.concat([
    element(0x1a45dfa3, element(0x4282, Buffer.from('webm'))),
    wrap(0x18538067, info, tracks, ...clusters.map((parts) => wrap(0x1f43b675, ...parts))),
  ]);
}

/** PCM, 8 kHz, 8 bits. */
export function makeWav(durationMs: number): Buffer {
  const samples = Buffer.alloc(8 * durationMs, 128);
  const header = Buffer.alloc(44);
  header.write('RIFF');
  header.writeUInt32LE(36 + samples.length, 4);
  header.write('WAVEfmt ', 8);
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(1, 20);
  header.writeUInt16LE(1, 22);
  header.writeUInt32LE(8000, 24);
  header.writeUInt32LE(8000, 28);
  header.writeUInt16LE(1, 32);
  header.writeUInt16LE(8, 34);
  header.write('data', 36);
  header.writeUInt32LE(samples.length, 40);
  return Buffer.concat([header, samples]);
}

/** Silent frames of MPEG 1 Layer III: 32 kbit/s, 32 kHz, mono, 144 bytes and 36 ms each. */
export function makeMp3(frames: number): Buffer {
  const frame = Buffer.alloc(144);
  frame.set([0xff, 0xfb, 0x18, 0xc4]);
  return Buffer.concat(Array.from({ length: frames }, () => frame));
}

/** Ogg pages (RFC 3533) with Opus (RFC 7845): one stream of silence. */
export function makeOpus(durationMs: number): Buffer {
  const head = Buffer.concat([
    Buffer.from('OpusHead'),
    Buffer.from([1, 1, 0, 0]),
    Buffer.from([0x80, 0xbb, 0, 0, 0, 0, 0]),
  ]);
  const tags = Buffer.concat([Buffer.from('OpusTags'), Buffer.alloc(8)]);
  const silence = Buffer.from([0xf8, 0xff, 0xfe]);
  return Buffer.concat([
    oggPage(0, 2, 0, head),
    oggPage(1, 0, 0, tags),
    oggPage(2, 4, durationMs * 48, silence),
  ]);
}

function oggPage(sequence: number, flags: number, granule: number, packet: Buffer): Buffer {
  const header = Buffer.alloc(28);
  header.write('OggS');
  header[5] = flags;
  header.writeBigInt64LE(BigInt(granule), 6);
  header.writeUInt32LE(7, 14);
  header.writeUInt32LE(sequence, 18);
  header[26] = 1;
  header[27] = packet.length;
  const page = Buffer.concat([header, packet]);
  page.writeUInt32LE(oggCrc(page), 22);
  return page;
}

function oggCrc(page: Buffer): number {
  let crc = 0;
  for (const byte of page) {
    crc ^= byte << 24;
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x80000000 ? (crc << 1) ^ 0x04c11db7 : crc << 1;
  }
  return crc >>> 0;
}
