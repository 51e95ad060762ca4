/** An account where files are kept instead of the data folder. */
export interface CloudinaryConfig {
  cloudName: string;
  apiKey: string;
  apiSecret: string;
  /** Where its API is, without a slash at the end. */
  uploadPrefix?: string;
}

/** Where clamd listens. */
export type ClamdConfig = { host: string; port: number } | { path: string };

export interface MediaConfig {
  /** Largest files by kind, in bytes. */
  maxImageBytes: number;
  maxAudioBytes: number;
  maxVideoBytes: number;
  maxDocumentBytes: number;
  cloudinary?: CloudinaryConfig;
  clamd?: ClamdConfig;
}

export const MEDIA_VARIABLES = [
  { name: 'MAX_IMAGE_MB', default: '10', description: 'largest picture, in MB' },
  { name: 'MAX_AUDIO_MB', default: '30', description: 'largest sound, in MB' },
  { name: 'MAX_VIDEO_MB', default: '100', description: 'largest film, in MB' },
  { name: 'MAX_DOCUMENT_MB', default: '50', description: 'largest file of any other kind, in MB' },
  {
    name: 'CLOUDINARY_CLOUD_NAME',
    description: 'keeps files in Cloudinary instead of DATA_DIR, with the next two (docs/media.md)',
  },
  { name: 'CLOUDINARY_API_KEY', description: 'with CLOUDINARY_CLOUD_NAME' },
  { name: 'CLOUDINARY_API_SECRET', description: 'with CLOUDINARY_CLOUD_NAME' },
  {
    name: 'CLOUDINARY_UPLOAD_PREFIX',
    description: 'another address of Cloudinary’s API; default https://api.cloudinary.com',
  },
  {
    name: 'CLAMD_URL',
    description: 'scans every upload with ClamAV: tcp://host:3310 or unix:/run/clamav/clamd.ctl',
  },
] as const;

const MEGABYTE = 1024 * 1024;
const CLAMD_PORT = 3310;

interface Reader {
  given: (name: string) => string | undefined;
  integer: (name: string, min: number, max: number) => number;
  url: (name: string, protocols: readonly string[]) => string | undefined;
  refuse: (name: string, rule: string) => void;
}

export function readMediaConfig(reader: Reader): MediaConfig {
  const megabytes = (name: string): number => reader.integer(name, 1, 1000) * MEGABYTE;
  const cloudinary = readCloudinary(reader);
  const clamd = readClamd(reader);
  return {
    maxImageBytes: megabytes('MAX_IMAGE_MB'),
    maxAudioBytes: megabytes('MAX_AUDIO_MB'),
    maxVideoBytes: megabytes('MAX_VIDEO_MB'),
    maxDocumentBytes: megabytes('MAX_DOCUMENT_MB'),
    ...(cloudinary && { cloudinary }),
    ...(clamd && { clamd }),
  };
}

function readCloudinary({ given, url, refuse }: Reader): CloudinaryConfig | undefined {
  const uploadPrefix = url('CLOUDINARY_UPLOAD_PREFIX', ['https:', 'http:'])?.replace(/\/+$/, '');
  const names = ['CLOUDINARY_CLOUD_NAME', 'CLOUDINARY_API_KEY', 'CLOUDINARY_API_SECRET'];
  const [cloudName, apiKey, apiSecret] = names.map(given);
  const isWhole = cloudName !== undefined && apiKey !== undefined && apiSecret !== undefined;
  for (const name of names) {
    const value = given(name);
    if (value === undefined) continue;
    if (/\p{Cc}/u.test(value)) refuse(name, 'must be on one line');
    else if (!isWhole) refuse(name, 'must come with the others: cloud name, key and secret, or none');
  }
  if (!isWhole) return undefined;
  return { cloudName, apiKey, apiSecret, ...(uploadPrefix && { uploadPrefix }) };
}

function readClamd({ given, refuse }: Reader): ClamdConfig | undefined {
  const value = given('CLAMD_URL');
  if (value === undefined) return undefined;
  const socketPath = /^unix:(?:\/\/)?(\/.+)$/.exec(value)?.[1];
  if (socketPath !== undefined) return { path: socketPath };
  if (URL.canParse(value)) {
    const { protocol, hostname, port } = new URL(value);
    if (protocol === 'tcp:' && hostname !== '') {
      return { host: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? CLAMD_PORT : Number(port) };
    }
  }
  refuse('CLAMD_URL', 'must be tcp://host:port or unix:/path');
  return undefined;
}
