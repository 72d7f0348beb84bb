/** The page: runs the model on test vectors, images and files of numbers, and checks the test vectors. */

import {largestDifference, SplitModel, WebModel} from './litert_model.js';
import {fetchVectors, readFile, sizeOf, takesImages, toReal, vectorAt} from './samples.js';

const MAX_ROWS = 10;
const at = (id) => document.getElementById(id);
let record, vectors, model, sample, place;
let turn = Promise.resolve();

/** Makes an element with text and children; texts are never markup. */
function element(tag, {text, ...properties} = {}, children = []) {
  const made = Object.assign(document.createElement(tag), properties);
  if (text !== undefined) made.textContent = text;
  made.append(...children);
  return made;
}

const say = (text) => { at('status').textContent = text; };

function show(value) {
  if (Number.isInteger(value) || !Number.isFinite(value)) return String(value);
  return Math.abs(value) < 0.001 ? value.toExponential(2) : String(Number(value.toPrecision(4)));
}

/** Does one thing after the other: a model must not run twice at the same time. */
function queue(work) {
  turn = turn.then(work).catch((error) => say(`Failed: ${error.message ?? error}`));
  return turn;
}

async function start() {
  record = await (await fetch('model.json')).json();
  vectors = await fetchVectors(record);
  at('sample').replaceChildren(...Array.from({length: vectors.count}, (_, n) => element('option', {value: n, text: `${n + 1}`})));
  at('target').replaceChildren(...record.inputs.map(({name}, i) => element('option', {value: i, text: name})));
  at('input-choice').hidden = record.inputs.length < 2;
  const wanted = new URLSearchParams(location.search).get('accelerator') ?? record.accelerator;
  const radios = [...document.querySelectorAll('[name=accelerator]')];
  for (const radio of radios) {
    radio.checked = radio.value === wanted;
    radio.addEventListener('change', () => queue(() => use(radio.value)));
  }
  if (!('gpu' in navigator)) radios.find((radio) => radio.value === 'webgpu').disabled = true;
  choose(0);
  connect();
  await queue(() => use(wanted));
}

/** Loads the model on an accelerator and checks the test vectors. */
async function use(accelerator) {
  enable(false);
  say('Loading LiteRT.js and the model …');
  at('check').className = 'verdict';
  at('check').textContent = 'The test vectors have not run yet.';
  at('check-details').replaceChildren();
  try {
    model?.delete();
    model = undefined;
    const names = {inputs: record.inputs.map(({name}) => name), outputs: record.outputs.map(({name}) => name)};
    const began = performance.now();
    model = record.split
      ? await SplitModel.load(record.split, accelerator)
      : await WebModel.load(record.file, accelerator, names);
    const where = accelerator === 'webgpu' ? `GPU (${model.gpu})` : 'CPU';
    const loaded = `Loaded in ${Math.round(performance.now() - began)} ms.`;
    place = `The model runs on the ${where}.`;
    if (model.shares) place = `${model.shares.gpu} operators run on the ${where} and ${model.shares.cpu} on the CPU.`;
    else if (record.split && accelerator === 'webgpu') place = `The model runs on the ${where}, and its post-processing on the CPU.`;
    else if (!model.isWhole) place = `Some operators run on the ${where}, and the others on the CPU.`;
    await check(accelerator);
    say(`${loaded} ${place}`);
    await run();
  } catch (error) {
    fail(accelerator, error);
  }
  enable(model !== undefined);
}

function fail(accelerator, error) {
  model?.delete();
  model = undefined;
  say(`Failed on ${accelerator}: ${error.message ?? error}`);
  at('check').className = 'verdict bad';
  at('check').textContent = `No: the model does not run on ${accelerator}.`;
}

/** Runs all test vectors and shows the largest difference of each output. */
async function check(accelerator) {
  const gaps = record.outputs.map(() => 0);
  for (let n = 0; n < vectors.count; n++) {
    const found = await model.run(vectorAt(vectors.inputs, n, vectors.count));
    const expected = vectorAt(vectors.expected, n, vectors.count);
    found.forEach((values, i) => { gaps[i] = Math.max(gaps[i], largestDifference(values, expected[i])); });
  }
  const allowed = record.tolerance[accelerator];
  const right = gaps.every((gap, i) => gap <= allowed[i]);
  at('check').className = `verdict ${right ? 'good' : 'bad'}`;
  at('check').textContent = right
    ? `Yes: the outputs of all ${vectors.count} test vectors are as expected.`
    : `No: the outputs of the ${vectors.count} test vectors differ from what is expected.`;
  const rows = record.outputs.map(({name, scale}, i) => row(
    [name, show(gaps[i]) + (scale ? ' steps' : ''), show(allowed[i]), gaps[i] <= allowed[i] ? 'yes' : 'no'], 'td'));
  at('check-details').replaceChildren(
    table(['output', 'largest difference', 'tolerance', 'within'], rows),
    element('p', {className: 'soft', text: `Test vectors: ${record.vectors.origin}. Tolerance: ${record.rule[accelerator]}.`}));
}

const row = (cells, tag) => element('tr', {}, cells.map((cell, i) =>
  cell instanceof Node ? element(tag, {}, [cell]) : element(tag, {text: cell, className: i ? 'n' : 'name'})));
const table = (heads, rows) => element('table', {}, [element('thead', {}, [row(heads, 'th')]), element('tbody', {}, rows)]);

/** Takes a test vector as the sample. */
function choose(n) {
  sample = vectorAt(vectors.inputs, n, vectors.count);
  at('input').textContent = `Test vector ${n + 1} of ${vectors.count}.`;
  at('preview').hidden = true;
}

async function take(file) {
  const index = Number(at('target').value);
  const spec = record.inputs[index];
  try {
    const values = await readFile(file, spec, index, at('preview'));
    sample = sample.map((old, i) => i === index ? values : old);
    at('preview').hidden = !(file.type.startsWith('image/') && takesImages(spec));
    at('input').textContent = `${file.name}, as input '${spec.name}' (${spec.shape.join(' x ')}).`;
    if (model) await run();
  } catch (error) {
    at('input').textContent = error.message;
  }
}

async function run() {
  const began = performance.now();
  const found = await model.run(sample);
  at('latency').textContent = `One run: ${show(performance.now() - began)} ms. "Measure time" gives the median of many.`;
  at('outputs').replaceChildren(...found.flatMap((raw, i) => output(toReal(raw, record.outputs[i]), record.outputs[i], i)));
}

async function measure() {
  enable(false);
  say('Measuring for 2 s …');
  const {median, p90, runs} = await model.time(sample, 2);
  at('latency').textContent = `Median ${show(median)} ms, 90 % within ${show(p90)} ms, over ${runs} runs. Copies of inputs and outputs are included.`;
  say(place);
  enable(true);
}

/** Shows an output: its largest values with their names, or its first values. */
function output(values, spec, index) {
  const heading = element('h3', {text: `${spec.name} (${spec.shape.join(' x ')})`});
  const isVector = spec.shape.filter((d) => d > 1).length <= 1;
  if (!isVector || values.length < 2) {
    const first = Array.from(values.subarray(0, 32), show).join(', ');
    let [low, high] = [Infinity, -Infinity];
    for (const value of values) [low, high] = [Math.min(low, value), Math.max(high, value)];
    const text = values.length > 32 ? `${first}, … (${values.length} values from ${show(low)} to ${show(high)})` : first;
    return [heading, element('pre', {text})];
  }
  const labels = index === 0 && record.labels.length === values.length ? record.labels : null;
  const order = Array.from(values.keys()).sort((a, b) => values[b] - values[a]).slice(0, MAX_ROWS);
  const isShare = values.every((value) => value >= 0 && value <= 1);
  const rows = order.map((i) => row([
    labels ? labels[i] : `${i}`, show(values[i]),
    ...(isShare ? [element('meter', {min: 0, max: 1, value: values[i], ariaLabel: labels ? labels[i] : `${i}`})] : []),
  ], 'td'));
  const heads = [labels ? 'name' : 'index', 'value', ...(isShare ? ['of 1'] : [])];
  const more = values.length > MAX_ROWS ? [element('p', {className: 'soft', text: `The ${MAX_ROWS} largest of ${values.length} values.`})] : [];
  return [heading, table(heads, rows), ...more];
}

function enable(on) {
  for (const id of ['run', 'time']) at(id).disabled = !on;
}

function connect() {
  at('sample').addEventListener('change', () => queue(async () => {
    choose(Number(at('sample').value));
    if (model) await run();
  }));
  at('run').addEventListener('click', () => queue(run));
  at('time').addEventListener('click', () => queue(measure));
  at('file').addEventListener('change', () => receive(at('file').files[0]));
  const drop = at('drop');
  for (const kind of ['dragover', 'dragleave', 'drop']) {
    drop.addEventListener(kind, (event) => {
      event.preventDefault();
      drop.classList.toggle('over', kind === 'dragover');
      if (kind === 'drop') receive(event.dataTransfer.files[0]);
    });
  }
}

function receive(file) {
  if (file) queue(() => take(file));
}

start().catch((error) => say(`The page cannot start: ${error.message ?? error}. Read the README: it needs a web server and 'npm ci'.`));
