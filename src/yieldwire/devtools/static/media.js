/**
 * Addresses of what a page shows for an untrusted value. Pure.
 *
 * An image is shown from a `data:` URL of an image type, or from the page's own origin. A link leads to the web or to a
 * mailbox. A file is saved from base 64. Anything else has no address.
 */

/** @typedef {import("./schema.js").Schema} Schema */

const MEDIA_TYPE = /^[a-z]+\/[a-z\d.+-]+$/i;
const IMAGE_TYPE = /^image\/[a-z\d.+-]+$/i;
const IMAGE_DATA = /^data:image\/[a-z\d.+-]+[;,]/i;
const BASE64 = /^[a-z\d+/_\s-]+=*\s*$/i;

/**
 * The media type that a schema gives to a text: `contentMediaType`, without parameters.
 * @param {Schema} schema
 */
export const mediaTypeOf = ({ contentMediaType }) => String(contentMediaType ?? "").split(";")[0]?.trim().toLowerCase() ?? "";

/**
 * The address of the image that a value is, or leads to.
 * @param {string} value
 * @param {Schema} schema
 * @param {string} page The page's own address.
 * @returns {string | undefined}
 */
export function imageUrl(value, schema, page) {
  const type = mediaTypeOf(schema);
  if (schema.contentEncoding === "base64" && !IMAGE_DATA.test(value))
    return IMAGE_TYPE.test(type) && BASE64.test(value) ? `data:${type};base64,${standard(value)}` : undefined;
  if (/^data:/i.test(value)) return IMAGE_DATA.test(value) ? value : undefined;
  const url = parsed(value, page);
  return url && url.origin === new URL(page).origin && url.protocol.startsWith("http") ? url.href : undefined;
}

/**
 * The address from which a file is saved that the value is, according to its schema.
 * @param {string} value
 * @param {Schema} schema
 * @returns {string | undefined}
 */
export function fileUrl(value, schema) {
  const type = mediaTypeOf(schema);
  const isFile = schema.contentEncoding === "base64" && MEDIA_TYPE.test(type) && BASE64.test(value);
  return isFile ? `data:${type};base64,${standard(value)}` : undefined;
}

/** Whether a text is an image, whatever its schema. @param {string} value */
export const isImageData = (value) => IMAGE_DATA.test(value);

/**
 * The address of a link.
 * @param {string} value
 * @param {string} page The page's own address.
 * @returns {string | undefined}
 */
export function linkUrl(value, page) {
  const url = parsed(value, page);
  return url && ["http:", "https:", "mailto:"].includes(url.protocol) ? url.href : undefined;
}

/** Python's URL-safe base 64 is not a browser's. @param {string} value */
const standard = (value) => value.replaceAll(/\s/g, "").replaceAll("-", "+").replaceAll("_", "/");

/** @param {string} value @param {string} page */
function parsed(value, page) {
  try {
    return new URL(value, page);
  } catch {
    return undefined;
  }
}
