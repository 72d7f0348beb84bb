/**
 * Runs a .tflite in a browser with LiteRT.js, on the CPU ('wasm') or the GPU ('webgpu').
 *
 *     import {WebModel} from './litert_model.js';
 *     const model = await WebModel.load('model.tflite', 'webgpu');
 *     const [probabilities] = await model.run([pixels]);  // one typed array per input and output
 *     model.delete();
 */

import {getWebGpuDevice, loadAndCompile, loadLiteRt, supportsFeature, Tensor} from '@litertjs/core';

const WASM_FOLDER = new URL('./node_modules/@litertjs/core/wasm/', import.meta.url).href;
const ARRAYS = {float32: Float32Array, int32: Int32Array, uint8: Uint8Array};
const MIN_BLOCK_MS = 10;

const COUNTS = /(\d+|No) operations? will run on the GPU, and (?:the remaining|all) (\d+) operations? will run on the CPU/;
const EMPTY = 'Failed to register output tensor buffer';  // only logged, from the second run on

let runtime;
let lines = [];

/**
 * Loads LiteRT.js once. The build with JSPI lets a model run partly on the GPU and partly on the CPU. What native
 * code prints is kept: some failures are only printed.
 */
function loadRuntime() {
  runtime ??= supportsFeature('jspi').then((jspi) => {
    const keep = (line) => { lines.push(String(line)); };
    globalThis.Module = {print: keep, printErr: keep};
    return loadLiteRt(WASM_FOLDER, {jspi});
  });
  return runtime;
}

/** A compiled model. Not for use by several callers at the same time. */
export class WebModel {
  #compiled;
  #places;
  #columns;

  constructor(compiled, accelerator, gpu, names, log) {
    this.#compiled = compiled;
    /** 'wasm' or 'webgpu'. */
    this.accelerator = accelerator;
    /** Name of the GPU, null on the CPU. */
    this.gpu = gpu;
    /** What native code printed while the model was compiled: text. */
    this.log = log;
    const counts = COUNTS.exec(log);
    /** False if the GPU lacks an operator, so that the CPU runs it. */
    this.isWhole = accelerator === 'wasm' || (compiled.isFullyAccelerated && counts === null);
    /** Numbers of operators on the GPU and on the CPU where both run some; else null. */
    this.shares = counts && {gpu: Number(counts[1]) || 0, cpu: Number(counts[2])};
    const [inputs, outputs] = [describe(compiled.getInputDetails()), describe(compiled.getOutputDetails())];
    this.#places = order(inputs, names?.inputs);
    this.#columns = order(outputs, names?.outputs);
    /** Names, types and shapes: [{name, dtype, shape}]. */
    this.inputs = this.#places.map((place) => inputs[place]);
    this.outputs = this.#columns.map((column) => outputs[column]);
  }

  /**
   * Loads and compiles a model.
   *
   * @param source URL of the file, or its bytes as Uint8Array.
   * @param accelerator 'wasm' or 'webgpu'.
   * @param names {inputs: [...], outputs: [...]} in the order that `run` takes and returns; the file's order by default.
   * @throws Error if the browser has no such accelerator, or LiteRT.js refuses the model.
   */
  static async load(source, accelerator = 'wasm', names = undefined) {
    await loadRuntime();
    const device = accelerator === 'webgpu' ? getWebGpuDevice() : null;
    if (accelerator === 'webgpu' && !device) throw new Error('this browser has no WebGPU adapter');
    lines = [];
    try {
      const compiled = await loadAndCompile(source, {accelerator});
      return new WebModel(compiled, accelerator, device && nameGpu(device), names, lines.join('\n'));
    } catch (error) {
      throw new Error([error.message ?? error, ...lines.filter((line) => /^(WARNING|ERROR)/.test(line))].join('\n'));
    }
  }

  /**
   * Runs the model once.
   *
   * @param arrays One typed array or array of numbers per input, in the order of `inputs`.
   * @returns One typed array per output, in the order of `outputs`.
   */
  async run(arrays) {
    const tensors = [];
    this.inputs.forEach((input, i) => { tensors[this.#places[i]] = makeTensor(input, arrays[i]); });
    lines = [];
    try {
      const results = await this.#compiled.run(tensors);
      const found = [];
      for (const result of results) {
        found.push(await result.data());
        result.delete();
      }
      if (lines.some((line) => line.includes(EMPTY))) {
        throw new Error('outputs whose size is computed while the model runs stay empty');
      }
      return this.#columns.map((column) => found[column]);
    } finally {
      tensors.forEach((tensor) => tensor.delete());
    }
  }

  /**
   * Measures the time of `run` in ms, input and output copies included. Short runs are timed several at a time,
   * because the browser's clock has steps of 0.1 ms.
   *
   * @returns {{median: number, p90: number, min: number, runs: number}}
   */
  time(arrays, seconds = 1, minBlocks = 5) {
    return measure((sample) => this.run(sample), arrays, seconds, minBlocks);
  }

  /** Frees the memory of the model. */
  delete() {
    this.#compiled.delete();
  }
}

/**
 * A model in two files: the first runs on the GPU, and its post-processing on the CPU. It has what a WebModel has.
 * One of these runs at a time.
 */
export class SplitModel {
  #head;
  #tail;
  #record;

  constructor(head, tail, record) {
    [this.#head, this.#tail, this.#record] = [head, tail, record];
    this.accelerator = head.accelerator;
    this.gpu = head.gpu;
    this.log = head.log;
    this.isWhole = head.isWhole;
    this.shares = head.shares;
    this.inputs = head.inputs;
    this.outputs = record.outputs.map(({part, place}) => (part === 'head' ? head : tail).outputs[place]);
  }

  /**
   * Loads and compiles both files.
   *
   * @param record {head, tail, inputs, passed: names of the tensors that the head gives the tail, headOutputs,
   *   tailOutputs: names, outputs: [{part: 'head' or 'tail', place}]}: `split` of model.json.
   * @param accelerator 'wasm' or 'webgpu', for the head.
   */
  static async load(record, accelerator = 'webgpu') {
    const head = await WebModel.load(record.head, accelerator, {inputs: record.inputs, outputs: record.headOutputs});
    try {
      const tail = await WebModel.load(record.tail, 'wasm', {inputs: record.passed, outputs: record.tailOutputs});
      return new SplitModel(head, tail, record);
    } catch (error) {
      head.delete();
      throw error;
    }
  }

  /** Runs both files once; see WebModel. */
  async run(arrays) {
    const head = await this.#head.run(arrays);
    const found = {head, tail: await this.#tail.run(head.slice(0, this.#record.passed.length))};
    return this.#record.outputs.map(({part, place}) => found[part][place]);
  }

  /** Measures the time of `run`; see WebModel. */
  time(arrays, seconds = 1, minBlocks = 5) {
    return measure((sample) => this.run(sample), arrays, seconds, minBlocks);
  }

  /** Frees the memory of both files. */
  delete() {
    this.#head.delete();
    this.#tail.delete();
  }
}

/** Measures the time of a function in ms; see WebModel.time. */
async function measure(run, arrays, seconds, minBlocks) {
  const clock = async (repeats) => {
    const start = performance.now();
    for (let i = 0; i < repeats; i++) await run(arrays);
    return (performance.now() - start) / repeats;
  };
  await run(arrays);
  const repeats = Math.max(1, Math.ceil(MIN_BLOCK_MS / Math.max(await clock(1), 0.05)));
  const times = [];
  const end = performance.now() + seconds * 1000;
  while (times.length < minBlocks || performance.now() < end) times.push(await clock(repeats));
  times.sort((a, b) => a - b);
  const at = (share) => times[Math.min(times.length - 1, Math.floor(share * times.length))];
  return {median: at(0.5), p90: at(0.9), min: times[0], runs: times.length * repeats};
}

/** Returns the largest difference of two arrays; infinite if one value is NaN and the other is not. */
export function largestDifference(found, expected) {
  if (found.length !== expected.length) return Infinity;
  let largest = 0;
  for (let i = 0; i < found.length; i++) {
    if (Object.is(found[i], expected[i]) || found[i] === expected[i]) continue;
    const gap = Math.abs(found[i] - expected[i]);
    largest = Number.isNaN(gap) ? Infinity : Math.max(largest, gap);
  }
  return largest;
}

/** Returns the index of each name; the order of the file if these are not its names. */
function order(details, names = []) {
  const found = names.map((name) => details.findIndex((detail) => detail.name === name));
  const known = new Set(found).size === details.length && !found.includes(-1);
  return known ? found : details.map((_, i) => i);
}

function describe(details) {
  return details.map(({name, dtype, shape}) => ({name, dtype, shape: Array.from(shape)}));
}

function makeTensor({name, dtype, shape}, values) {
  const size = shape.reduce((a, b) => a * b, 1);
  if (values?.length !== size) throw new Error(`input '${name}' needs ${size} values, got ${values?.length ?? 0}`);
  return new Tensor(values instanceof ARRAYS[dtype] ? values : ARRAYS[dtype].from(values), shape);
}

function nameGpu(device) {
  const {vendor, architecture, description} = device.adapterInfo ?? {};
  return [vendor, architecture, description].filter(Boolean).join(' ') || 'unnamed GPU';
}
