/** Runs the job that the local server holds, and posts the reply to it. See tflite_compress/runtimes/litert_web.py. */

const ARRAYS = {'<f4': Float32Array, '<i4': Int32Array, '|u1': Uint8Array};
const DTYPES = {float32: '<f4', int32: '<i4', uint8: '|u1'};
function encode(parts, dtype, shape) {
  const bytes = new Uint8Array(parts.length * (parts[0]?.byteLength ?? 0));
  parts.forEach((part, i) => bytes.set(new Uint8Array(part.buffer, part.byteOffset, part.byteLength), i * part.byteLength));
  let text = '';
  for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
  return {dtype: DTYPES[dtype], shape: [parts.length, ...shape], base64: btoa(text)};
}

async function work() {
  const {WebModel} = await import('./litert_model.js');
  const job = await (await fetch('job.json')).json();
  const content = new Uint8Array(await (await fetch('model.tflite')).arrayBuffer());
  const names = {inputs: job.inputs.map(({name}) => name), outputs: job.outputs};
  const load = () => WebModel.load(content, job.accelerator, names);
  const start = performance.now();
  let model = await load();
  const load_ms = performance.now() - start;
  const {outputs, gpu, isWhole, log} = model;

  const values = await Promise.all(job.inputs.map(async ({dtype}, i) =>
      new ARRAYS[dtype](await (await fetch(`input_${i}`)).arrayBuffer())));
  const sample = (n) => values.map((all) => {
    const size = all.length / job.samples;
    return all.subarray(n * size, (n + 1) * size);
  });

  /** Runs all samples; each with a new model where a state must not be kept. */
  const runAll = async (fresh) => {
    const rows = [];
    for (let n = 0; n < job.samples; n++) {
      if (fresh && n > 0) {
        model.delete();
        model = await load();
      }
      const found = await model.run(sample(n));
      rows.push(found.map((array) => array.slice()));
    }
    return outputs.map(({dtype, shape}, c) => encode(rows.map((row) => row[c]), dtype, shape));
  };

  const found = await runAll(job.stateful);
  let sequence = null;
  if (job.stateful) {
    model.delete();
    model = await load();
    sequence = await runAll(false);
  }
  const latency = await model.time(sample(0), job.seconds);
  return {outputs: found, sequence, latency, load_ms, gpu, is_whole: isWhole, log, agent: navigator.userAgent};
}

const reply = await work().catch((error) => ({error: String(error?.message ?? error)}));
await fetch('reply', {method: 'POST', body: JSON.stringify(reply)});
