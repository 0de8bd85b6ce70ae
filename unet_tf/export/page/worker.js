// The model, in a thread of its own: pixels in, probabilities out.
import * as ort from "./ort.wasm.min.mjs";

ort.env.wasm.wasmPaths = new URL("./", import.meta.url).href;
ort.env.wasm.numThreads = self.crossOriginIsolated ? Math.min(4, navigator.hardwareConcurrency) : 1;
const session = ort.InferenceSession.create(new URL("model.onnx", import.meta.url).href);
session.then(() => postMessage({ ready: true }), (error) => postMessage({ error: String(error) }));

onmessage = async ({ data: { rgb, height, width } }) => {
  try {
    const start = performance.now();
    const image = new ort.Tensor("uint8", rgb, [1, height, width, 3]);
    const { probability } = await (await session).run({ image });
    const [, h, w, channels] = probability.dims;
    const milliseconds = performance.now() - start;
    postMessage({ answer: { data: probability.data, h, w, channels }, milliseconds });
  } catch (error) {
    postMessage({ error: String(error) });
  }
};
