/** Makes inputs of the model from images, files of numbers and test vectors, and real numbers from its outputs. */

import {preprocess} from './preprocess.js';

const ARRAYS = {FLOAT32: Float32Array, INT32: Int32Array, UINT8: Uint8Array};

export const sizeOf = (spec) => spec.shape.reduce((a, b) => a * b, 1);

/** True if an image fits: height x width x 1, 3 or 4 channels. */
export const takesImages = ({shape}) => shape.length === 4 && [1, 3, 4].includes(shape[3]);

/** Returns the raw test vectors: {count, inputs, expected}, one typed array of all vectors per input and output. */
export async function fetchVectors(record) {
  const read = async (side, specs) => Promise.all(specs.map(async (spec, i) => {
    const response = await fetch(`vectors/${side}_${i}.bin`);
    if (!response.ok) throw new Error(`vectors/${side}_${i}.bin: ${response.status} ${response.statusText}`);
    return new ARRAYS[spec.type](await response.arrayBuffer());
  }));
  return {
    count: record.vectors.count,
    inputs: await read('input', record.inputs),
    expected: await read('expected', record.outputs),
  };
}

/** Returns vector `n`, one array per input or output. */
export const vectorAt = (arrays, n, count) => arrays.map((all) => all.subarray(n * all.length / count, (n + 1) * all.length / count));

/** Returns the values of the file as the model takes them. Throws an Error that says what does not fit. */
export async function readFile(file, spec, index, canvas) {
  const isImage = file.type.startsWith('image/');
  const values = isImage ? await readPixels(file, spec, canvas) : readNumbers(await file.text());
  const size = sizeOf(spec);
  if (values.length !== size) {
    throw new Error(`${file.name} has ${values.length} numbers; input '${spec.name}' takes ${size} (${spec.shape.join(' x ')})`);
  }
  return toRaw(preprocess(values, index), spec);
}

async function readPixels(file, spec, canvas) {
  if (!takesImages(spec)) throw new Error(`input '${spec.name}' takes ${spec.shape.join(' x ')} numbers, not an image`);
  const [, height, width, channels] = spec.shape;
  const image = await createImageBitmap(file).catch(() => null);
  if (image === null) throw new Error(`${file.name} is not an image that this browser reads`);
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext('2d', {willReadFrequently: true});
  context.drawImage(image, 0, 0, width, height);
  const {data} = context.getImageData(0, 0, width, height);
  const values = new Float32Array(height * width * channels);
  for (let pixel = 0; pixel < height * width; pixel++) {
    const [r, g, b, a] = data.subarray(4 * pixel, 4 * pixel + 4);
    if (channels === 1) values[pixel] = 0.299 * r + 0.587 * g + 0.114 * b;
    else values.set([r, g, b, a].slice(0, channels), channels * pixel);
  }
  return values;
}

/** Returns the numbers of a text: JSON of any nesting, or numbers between commas, blanks and lines. */
function readNumbers(text) {
  let values;
  try {
    const parsed = JSON.parse(text);
    values = Array.isArray(parsed) ? parsed.flat(Infinity) : [parsed];
  } catch {
    values = text.split(/[\s,;]+/).filter(Boolean);
  }
  const numbers = Float64Array.from(values, Number);
  const wrong = numbers.findIndex(Number.isNaN);
  if (wrong >= 0) throw new Error(`'${String(values[wrong]).slice(0, 40)}' is not a number`);
  return numbers;
}

/** Quantizes and converts real numbers to the type of an input. */
function toRaw(values, {type, scale, zeroPoint}) {
  if (scale) values = Array.from(values, (v) => Math.min(255, Math.max(0, Math.round(v / scale) + zeroPoint)));
  return ARRAYS[type].from(values);
}

/** Returns the real numbers of an output. */
export function toReal(raw, {scale, zeroPoint}) {
  return scale ? Float32Array.from(raw, (v) => (v - zeroPoint) * scale) : raw;
}
