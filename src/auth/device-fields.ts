/** Code points of the id that a client gives a device, and of its name. */
export const MAX_DEVICE_ID = 200;
export const MAX_DEVICE_NAME = 100;
