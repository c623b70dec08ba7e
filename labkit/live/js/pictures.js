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

// What is kept is filled, what is cut off hollow; a thin line shows on the right how much is kept up to each index.
function spectrumPicture(part, paint) {
  const { values, share } = part;
  const x = values.map((_, index) => index * part.step + 1);
  const end = x[x.length - 1];
  const cut = Math.min(part.marks[0] ?? end, end);
  const top = Math.max(...values);
  const within = (_, index) => x[index] <= cut;
  const beyond = (_, index) => x[index] > cut;
  const hover = "%{x}: %{y:.3f}<extra></extra>";
  const line = { shape: "hvh", width: 1.5, dash: "dot", color: paint.quiet };
  const side = (text, xanchor, room) => ({
    text, xanchor, x: cut + 0.5, y: 1.15 * top, yanchor: "top", showarrow: false, visible: room > 0.15 * end,
    font: { size: 11, color: paint.quiet },
  });
  return {
    data: [
      area(x.filter(within), values.filter(within), paint.data, 0.6, hover),
      { ...area(x.filter(beyond), values.filter(beyond), paint.quiet, 0, hover), fill: "none", line },
      {
        x: part.marks.flatMap((mark) => [mark + 0.5, mark + 0.5, null]), y: part.marks.flatMap(() => [0, top * 1.15, null]),
        mode: "lines", line: { color: paint.finger, width: 2.5 }, hoverinfo: "skip",
      },
      ...(share ? energyTraces(part, x, cut, paint) : []),
    ],
    layout: {
      margin: { l: 52, r: share ? 52 : 14, t: 8, b: 42 },
      annotations: part.marks.length ? [side("kept ", "right", cut), side(" cut off", "left", end - cut)] : [],
      xaxis: { title: part.x, nticks: 7, range: [0.5 - 0.02 * end, end + 0.5] },
      yaxis: { title: part.y, range: [0, 1.15 * top], nticks: 6 },
      ...(share && { yaxis2: energyAxis(paint) }),
    },
  };
}

function energyTraces({ share, kept }, x, cut, paint) {
  const all = { yaxis: "y2", hovertemplate: "the first %{x} keep %{y:.1f} % of the energy<extra></extra>" };
  return [
    { ...all, x: [0, ...x], y: [0, ...share], mode: "lines", line: { color: paint.line3, width: 1.3, dash: "dash" } },
    {
      ...all, x: [cut], y: [kept], mode: "markers", cliponaxis: false,
      marker: { symbol: "diamond", size: 10, color: paint.line3, line: { width: 1, color: paint.surface } },
    },
  ];
}

function energyAxis(paint) {
  return {
    title: "energy kept, % (dashed)", color: paint.line3, tickfont: { color: paint.line3 }, range: [0, 115],
    tickmode: "array", tickvals: [0, 25, 50, 75, 100], side: "right", overlaying: "y", showgrid: false,
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

const PICTURES = {
  histogram: histogramPicture,
  spectrum: spectrumPicture,
  bars: barsPicture,
  codes: codesPicture,
  lines: linesPicture,
  mask: maskPicture,
  matrix: tilesPicture,
  filters: tilesPicture,
  images: tilesPicture,
  pairs: pairsPicture,
};
