// From a photograph to its mask: decode, ask the model, resize the answer back, decide, draw.
const $ = (id) => document.getElementById(id);
const VIEW = [960, 1600]; // pixels of the longer side that is drawn, least and most
const card = await fetch("card.json").then((answer) => answer.json()).catch((error) => {
  say("The page's folder is not whole: card.json cannot be read. Write it again.", true);
  throw error;
});
const { binary, names } = card.labels;
// Pixels, at the most: of the canvas of some phones, and of what a network at the picture's own
// size has memory for.
const native = !Array.isArray(card.image_size), share = card.image_size ?? 1;
const MOST = native ? Math.min(16e6, 4e6 / share ** 2) : 16e6;
const shownClasses = binary ? [1] : names.map((_, id) => id);
const colours = binary ? [null, [255, 214, 0]] : card.palette;
let threshold = card.threshold;
let picture = null; // { name, canvas, answer, view, shares }

// ---- the answer at any size, as Pillow's bilinear does it: wider than the step where it shrinks
function weights(from, to) {
  const scale = from / to, reach = Math.max(scale, 1);
  return Array.from({ length: to }, (_, place) => {
    const centre = (place + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - reach + 0.5));
    const last = Math.min(from, Math.trunc(centre + reach + 0.5));
    const parts = [];
    for (let i = first; i < last; i++) {
      parts.push(Math.max(0, 1 - Math.abs((i - centre + 0.5) / reach)));
    }
    const sum = parts.reduce((a, b) => a + b, 0);
    return { first, parts: parts.map((part) => part / sum) };
  });
}

function resized({ data, h, w, channels }, channel, height, width) {
  const across = weights(w, width), down = weights(h, height);
  const rows = new Float32Array(h * width), all = new Float32Array(height * width);
  for (let y = 0; y < h; y++) {
    for (let x = 0; x < width; x++) {
      const { first, parts } = across[x];
      let sum = 0;
      for (let k = 0; k < parts.length; k++) {
        sum += data[(y * w + first + k) * channels + channel] * parts[k];
      }
      rows[y * width + x] = sum;
    }
  }
  for (let y = 0; y < height; y++) {
    const { first, parts } = down[y];
    for (let x = 0; x < width; x++) {
      let sum = 0;
      for (let k = 0; k < parts.length; k++) sum += rows[(first + k) * width + x] * parts[k];
      all[y * width + x] = sum;
    }
  }
  return all;
}

// A function of the threshold: the mask at a size, an id a pixel.
function masks(answer, height, width) {
  let best = resized(answer, 0, height, width);
  const ids = new Uint8Array(height * width);
  if (binary) {
    return () => {
      const least = Math.fround(threshold);
      for (let i = 0; i < ids.length; i++) ids[i] = best[i] >= least ? 1 : 0;
      return ids;
    };
  }
  for (let id = 1; id < answer.channels; id++) {
    const other = resized(answer, id, height, width);
    for (let i = 0; i < ids.length; i++) {
      if (other[i] > best[i]) [best[i], ids[i]] = [other[i], id];
    }
  }
  return () => ids;
}

// ---- drawing
function draw() {
  const { canvas, mask, name } = picture;
  const view = $("view"), context = view.getContext("2d");
  const { width, height } = view, ids = mask();
  context.drawImage(canvas, 0, 0, width, height);
  const counts = new Array(names.length).fill(0);
  for (const id of ids) counts[id]++;
  if (!binary) tint(context, ids, width, height);
  const edges = edgesOf(ids, width, height);
  const thick = Math.round(Math.max(width, height) / 400);
  for (const [grown, colour] of [[thick + 1, () => "#000"], [thick, (id) => css(colours[id])]]) {
    for (const i of edges) {
      context.fillStyle = colour(ids[i]);
      context.fillRect((i % width) - (grown >> 1), Math.floor(i / width) - (grown >> 1), grown, grown);
    }
  }
  const words = shownClasses.map((id) => `${names[id]} ${percent(counts[id] / ids.length)}`);
  for (const id of shownClasses) $(`share${id}`).textContent = percent(counts[id] / ids.length);
  view.setAttribute("aria-label", `${name} with the outline of its mask: ${words.join(", ")}`);
  $("shown").textContent = threshold.toFixed(2);
}

function tint(context, ids, width, height) {
  const image = context.getImageData(0, 0, width, height);
  for (let i = 0; i < ids.length; i++) {
    if (!ids[i]) continue;
    for (let c = 0; c < 3; c++) {
      image.data[4 * i + c] = (image.data[4 * i + c] + colours[ids[i]][c]) >> 1;
    }
  }
  context.putImageData(image, 0, 0);
}

// Pixels that a mask's border runs through: of a class above background, beside another.
function edgesOf(ids, width, height) {
  const edges = [];
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      const id = ids[i];
      if (id && ((x && ids[i - 1] !== id) || (x < width - 1 && ids[i + 1] !== id)
        || (y && ids[i - width] !== id) || (y < height - 1 && ids[i + width] !== id))) edges.push(i);
    }
  }
  return edges;
}

const css = (colour) => `rgb(${colour.join(",")})`;
const percent = (share) => `${(100 * share).toFixed(1)} %`;

function say(text, bad = false) {
  $("status").textContent = text;
  $("status").classList.toggle("error", bad);
}

// ---- from a file or the camera to an answer
async function segment(source, name) {
  let bitmap;
  busy(true);
  say(`Reading ${name} …`);
  try {
    // Turned as the camera says; its numbers as in the file, as in training, whatever its profile.
    bitmap = await createImageBitmap(source, { colorSpaceConversion: "none" });
  } catch {
    busy(false);
    $("result").hidden = true; // it would be another picture's
    return say(`${name} cannot be read as a picture: it is broken, too large, or of a kind that `
      + "browsers do not show. Choose a JPEG, PNG, GIF or WebP.", true);
  }
  const kept = Math.min(1, Math.sqrt(MOST / (bitmap.width * bitmap.height)));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.floor(bitmap.width * kept));
  canvas.height = Math.max(1, Math.floor(bitmap.height * kept));
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
  const rgb = new Uint8Array(canvas.width * canvas.height * 3);
  let clear = false; // a browser forgets the colours of what is wholly transparent
  for (let i = 0, j = 0; j < rgb.length; i += 4) {
    for (let c = 0; c < 3; c++) rgb[j++] = data[i + c];
    clear ||= !data[i + 3];
  }
  say(`Segmenting ${name}, ${canvas.width} x ${canvas.height} pixels …`);
  context.globalCompositeOperation = "destination-over"; // black behind what is transparent
  context.fillRect(0, 0, canvas.width, canvas.height);
  const why = MOST < 16e6 ? "as the model works on all its pixels at once" : "as browsers draw no larger ones";
  const notes = [kept < 1 && `made smaller first, ${why}`,
    clear && "what is transparent counts as black"];
  picture = { name, canvas, notes: notes.filter(Boolean) };
  worker.postMessage({ rgb, height: canvas.height, width: canvas.width }, [rgb.buffer]);
}

function answered(answer, milliseconds) {
  const { canvas, name, notes } = picture, view = $("view");
  const longer = Math.max(canvas.width, canvas.height);
  const scale = Math.min(VIEW[1], Math.max(VIEW[0], longer)) / longer;
  view.width = Math.max(1, Math.round(canvas.width * scale));
  view.height = Math.max(1, Math.round(canvas.height * scale));
  Object.assign(picture, { answer, mask: masks(answer, view.height, view.width) });
  $("result").hidden = false;
  draw();
  const took = `${canvas.width} x ${canvas.height} pixels in ${(milliseconds / 1000).toFixed(2)} s`;
  say(`${name}: ${[took, ...notes].join("; ")}.`);
}

async function download() {
  const { canvas: { width, height }, answer, name } = picture;
  const ids = masks(answer, height, width)();
  const image = new ImageData(width, height);
  const white = binary ? [[0, 0, 0], [255, 255, 255]] : colours;
  for (let i = 0; i < ids.length; i++) {
    image.data.set(white[ids[i]], 4 * i);
    image.data[4 * i + 3] = 255;
  }
  const canvas = new OffscreenCanvas(width, height);
  canvas.getContext("2d").putImageData(image, 0, 0);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await canvas.convertToBlob({ type: "image/png" }));
  link.download = `${name.replace(/\.[^.]*$/, "")}_mask.png`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

// ---- what the user does
let focused = null; // what is switched off loses the focus: it gets it back

function busy(yes) {
  if (yes) focused = document.activeElement;
  for (const id of ["file", "camera", "take", "threshold", "download"]) $(id).disabled = yes;
  if (!yes && document.activeElement === document.body) focused?.focus();
}

const worker = new Worker("worker.js", { type: "module" });
worker.onmessage = ({ data: { ready, error, answer, milliseconds } }) => {
  busy(false);
  if (error && picture) {
    const { canvas: { width, height }, name } = picture;
    $("result").hidden = true; // it would be another picture's
    say(`${name}: the model cannot segment ${width} x ${height} pixels in this browser (${error}). `
      + "Choose a smaller picture, or a part of it.", true);
  } else if (error) say(`The model cannot run here: ${error}`, true);
  else if (ready) say("Ready.");
  else answered(answer, milliseconds);
};
worker.onerror = () => say("The model cannot be loaded: the page's folder is not whole, or this browser is too old.", true);

$("file").onchange = ({ target }) => {
  if (target.files.length) segment(target.files[0], target.files[0].name);
  target.value = ""; // the same file again is a change, too
};
document.body.ondragover = (event) => {
  event.preventDefault();
  document.body.classList.add("over");
};
document.body.ondragleave = () => document.body.classList.remove("over");
document.body.ondrop = (event) => {
  event.preventDefault();
  document.body.classList.remove("over");
  const [file] = event.dataTransfer.files;
  if (file && !$("file").disabled) segment(file, file.name);
};
$("threshold").oninput = ({ target }) => {
  threshold = Number(target.value);
  draw();
};
$("download").onclick = download;

const cameraCloses = () => {
  $("video").srcObject?.getTracks().forEach((track) => track.stop());
  $("video").srcObject = null;
  $("live").hidden = true;
  $("camera").focus();
};
$("camera").hidden = !navigator.mediaDevices?.getUserMedia;
$("camera").onclick = async () => {
  if ($("video").srcObject) return $("take").focus(); // it is on
  try {
    $("video").srcObject = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    $("live").hidden = false;
    $("take").focus();
  } catch (error) {
    say(`The camera cannot be used (${error.name}): allow it in the browser, or choose a photograph.`, true);
  }
};
$("stop").onclick = cameraCloses;
$("take").onclick = async () => {
  if (!$("video").videoWidth) return say("The camera gives no picture yet: try again.");
  const still = await createImageBitmap($("video"));
  cameraCloses();
  segment(still, "camera.png");
};

// ---- what the card says
const what = names.slice(1).join(", ");
document.title = `Segment: ${what}`;
const deep = card.value_range ? ` It was trained on images of more than 8 bits: bring yours to 8 as training did, ${card.value_range[0]} to black and ${card.value_range[1]} to white.` : "";
$("about").textContent = `It finds: ${what}. The model (${card.name}) runs in this browser; pictures stay on this machine.${deep}`;
$("threshold").value = threshold;
$("controls").hidden = !binary;
for (const id of shownClasses) {
  const entry = document.createElement("li"), swatch = document.createElement("i");
  swatch.style.background = css(colours[id]);
  const share = document.createElement("span");
  share.id = `share${id}`;
  entry.append(swatch, `${names[id]} `, share);
  $("legend").append(entry);
}
