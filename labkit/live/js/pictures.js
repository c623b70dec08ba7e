// The method's own picture: each kind is drawn here once, for all methods.

function pictureView(part, paint, size) {
  return (PICTURES[part.kind] || noPicture)(part, paint, size);
}

function noPicture(part, paint) {
  const hidden = { visible: false };
  const note = { text: part.text, showarrow: false, x: 0.5, y: 0.5, xref: "paper", yref: "paper", font: { color: paint.quiet } };
  return { data: [], layout: { xaxis: hidden, yaxis: hidden, annotations: [note] } };
}

function veil(colour, share) {
  const [red, green, blue] = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
  return `rgba(${red}, ${green}, ${blue}, ${share})`;
}

// A filled outline of steps: one path, where bars would be a hundred.
function area(x, y, colour, share, hover) {
  return {
    x, y, mode: "lines", fill: "tozeroy", fillcolor: veil(colour, share),
    line: { shape: "hvh", width: 0 }, hovertemplate: hover,
  };
}

function histogramPicture(part, paint) {
  const step = (part.to - part.from) / part.values.length;
  const top = Math.max(...part.values);
  const many = part.marks.length > 32;
  return {
    data: [
      area(
        part.values.map((_, index) => part.from + (index + 0.5) * step), part.values,
        paint.data, 0.5, "%{x:.3f}: %{y}<extra></extra>",
      ),
      {
        x: many ? [] : part.marks.flatMap((mark) => [mark, mark, null]),
        y: many ? [] : part.marks.flatMap(() => [0, top * 1.06, null]),
        mode: "lines",
        line: { color: paint.finger, width: 1.5 },
        hoverinfo: "skip",
      },
      {
        x: part.marks,
        y: part.marks.map(() => 0),
        mode: "markers",
        marker: { symbol: "triangle-up", size: many ? 7 : 12, color: paint.finger },
        cliponaxis: false,
        hovertemplate: "%{x:.4f}<extra></extra>",
      },
    ],
    layout: {
      margin: { l: 56, r: 14, t: 8, b: 42 },
      xaxis: { title: part.x, nticks: 7 },
      yaxis: { title: part.y, range: [-0.05 * top, 1.08 * top], nticks: 6 },
    },
  };
}

function spectrumPicture(part, paint) {
  const cut = part.marks[0] ?? Infinity;
  const x = part.values.map((_, index) => index * part.step + 1);
  const half = (inside, colour, share) => {
    const within = (_, index) => inside === x[index] <= cut;
    return area(x.filter(within), part.values.filter(within), colour, share, "%{x}: %{y:.3f}<extra></extra>");
  };
  const top = Math.max(...part.values);
  return {
    data: [
      half(true, paint.data, 0.6),
      half(false, paint.quiet, 0.25),
      {
        x: part.marks.flatMap((mark) => [mark + 0.5, mark + 0.5, null]),
        y: part.marks.flatMap(() => [0, top * 1.05, null]),
        mode: "lines",
        line: { color: paint.finger, width: 2.5 },
        hoverinfo: "skip",
      },
    ],
    layout: {
      xaxis: { title: part.x, nticks: 7, range: [0.5 - 0.02 * x.length * part.step, (x.length + 0.5) * part.step] },
      yaxis: { title: part.y, range: [0, 1.08 * top], nticks: 6 },
    },
  };
}

// Each code at its share of the weights and the length of its codeword; the line is the ideal, -log2 p.
function codesPicture(part, paint) {
  const least = Math.min(...part.values) / 1.5;
  const longest = Math.max(...part.marks, -Math.log2(least));
  const line = Array.from({ length: 40 }, (_, index) => least ** (1 - index / 39));
  return {
    data: [
      {
        x: line, y: line.map((share) => -Math.log2(share)), mode: "lines",
        line: { color: paint.data, width: 2 }, hovertemplate: "ideal: %{y:.2f} bits<extra></extra>",
      },
      {
        x: part.values, y: part.marks, mode: "markers",
        marker: { symbol: "square", size: 9, color: paint.finger, line: { width: 1, color: paint.surface } },
        hovertemplate: "%{x:.2%} of the weights: %{y} bits<extra></extra>",
      },
      {
        x: [line[8]], y: [-Math.log2(line[8])], text: ["  ideal: −log2 of the share"], mode: "text",
        textposition: "middle right", textfont: { color: paint.data }, hoverinfo: "skip",
      },
    ],
    layout: {
      xaxis: { type: "log", title: part.x, tickformat: ".1~p", nticks: 6, range: [Math.log10(least), 0.05] },
      yaxis: { title: part.y, range: [0, longest + 0.7], nticks: 8 },
    },
  };
}

// What is marked among tiles is faded, and crossed out from corner to corner.
function crossedOut(corners, paint) {
  const box = ([left, top, right, bottom]) => [[left, right, right, left, left, null], [top, top, bottom, bottom, top, null]];
  const lines = { mode: "lines", hoverinfo: "skip" };
  return [
    {
      ...lines, x: corners.flatMap((at) => box(at)[0]), y: corners.flatMap((at) => box(at)[1]),
      fill: "toself", fillcolor: veil(paint.surface, 0.7), line: { width: 0 },
    },
    {
      ...lines, x: corners.flatMap(([left, , right]) => [left, right, null]),
      y: corners.flatMap(([, top, , bottom]) => [top, bottom, null]), line: { color: paint.text, width: 1 },
    },
  ];
}

// One or many small matrices as tiles; a byte of 128 is zero.
function tilesPicture(part, paint) {
  const [count, height, width] = part.shape;
  const bytes = Uint8Array.from(atob(part.bytes), (letter) => letter.charCodeAt(0));
  const across = Math.min(count, Math.ceil(Math.sqrt((count * height * 1.6) / width)));
  const down = Math.ceil(count / across);
  const gap = count > 1 ? 1 : 0;
  const z = Array.from({ length: down * (height + gap) }, () => new Array(across * (width + gap)).fill(null));
  for (let tile = 0; tile < count; tile++)
    for (let row = 0; row < height; row++)
      for (let column = 0; column < width; column++)
        z[Math.floor(tile / across) * (height + gap) + row][(tile % across) * (width + gap) + column] =
          ((bytes[(tile * height + row) * width + column] - 128) / 127) * part.top;
  const marked = (part.marks || []).map((tile) => {
    const [left, top] = [(tile % across) * (width + gap) - 0.5, Math.floor(tile / across) * (height + gap) - 0.5];
    return [left, top, left + width, top + height];
  });
  const grey = part.kind === "images";
  const scale = grey
    ? [[0, "black"], [1, "white"]]
    : [[0, paint.data], [0.5, paint.surface], [1, paint.original]];
  const bare = { showgrid: false, showticklabels: false };
  return {
    data: [
      {
        type: "heatmap", z, colorscale: scale, zmin: grey ? 0 : -part.top, zmax: part.top, showscale: !grey,
        colorbar: { thickness: 10, outlinewidth: 0, tickfont: { color: paint.quiet }, nticks: 5 },
        hovertemplate: "%{z:.3f}<extra></extra>",
      },
      ...(marked.length ? crossedOut(marked, paint) : []),
    ],
    layout: {
      margin: { l: 24, r: 8, t: 8, b: 30 },
      xaxis: { ...bare, title: part.x },
      yaxis: { ...bare, title: part.y, autorange: "reversed", scaleanchor: count > 1 ? "x" : undefined },
    },
  };
}

const PICTURES = {
  histogram: histogramPicture,
  spectrum: spectrumPicture,
  codes: codesPicture,
  lines: linesPicture,
  mask: maskPicture,
  matrix: tilesPicture,
  filters: tilesPicture,
  images: tilesPicture,
};
