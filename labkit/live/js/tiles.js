// Small matrices as tiles: kernels, pictures, and what a weight was beside what it is. A byte of 128 is zero.

// Lays tiles on a canvas of empty cells; place(tile) says where one begins: [row, column].
function mosaic(part, place, rows, columns) {
  const [count, height, width] = part.shape;
  const bytes = Uint8Array.from(atob(part.bytes), (letter) => letter.charCodeAt(0));
  const z = Array.from({ length: rows }, () => new Array(columns).fill(null));
  for (let tile = 0; tile < count; tile++) {
    const [top, left] = place(tile);
    for (let row = 0; row < height; row++)
      for (let column = 0; column < width; column++)
        z[top + row][left + column] = ((bytes[(tile * height + row) * width + column] - 128) / 127) * part.top;
  }
  return z;
}

// As many tiles of so many cells in a row as fill a view that is wider than high, all rows about full.
function abreast(count, height, width) {
  const most = Math.min(count, Math.ceil(Math.sqrt((count * height * 1.6) / width)));
  return Math.ceil(count / Math.ceil(count / most));
}

// Below zero, zero and above it: two hues that meet in the colour of the card.
function heatmap(z, top, paint) {
  return {
    type: "heatmap", z, zmin: -top, zmax: top, colorscale: [[0, paint.data], [0.5, paint.surface], [1, paint.original]],
    colorbar: { thickness: 10, outlinewidth: 0, tickfont: { color: paint.quiet }, nticks: 5 },
    hovertemplate: "%{z:.3f}<extra></extra>",
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

// One or many small matrices, row by row.
function tilesPicture(part, paint) {
  const [count, height, width] = part.shape;
  const across = abreast(count, height, width);
  const gap = count > 1 ? 1 : 0;
  const place = (tile) => [Math.floor(tile / across) * (height + gap), (tile % across) * (width + gap)];
  const z = mosaic(part, place, Math.ceil(count / across) * (height + gap), across * (width + gap));
  const marked = (part.marks || []).map((tile) => {
    const [top, left] = place(tile).map((corner) => corner - 0.5);
    return [left, top, left + width, top + height];
  });
  const drawn = heatmap(z, part.top, paint);
  if (part.kind === "images") Object.assign(drawn, { colorscale: [[0, "black"], [1, "white"]], zmin: 0, showscale: false });
  const bare = { showgrid: false, showticklabels: false };
  return {
    data: [drawn, ...(marked.length ? crossedOut(marked, paint) : [])],
    layout: {
      margin: { l: 24, r: 8, t: 8, b: 30 },
      xaxis: { ...bare, title: part.x },
      yaxis: { ...bare, title: part.y, autorange: "reversed", scaleanchor: count > 1 ? "x" : undefined },
    },
  };
}

// Before above after, pair beside pair.
function pairsPicture(part, paint) {
  const [count, height, width] = part.shape;
  const across = abreast(count / 2, 2 * height, width);
  const down = Math.ceil(count / 2 / across);
  const step = 2 * height + 3; // one empty row in a pair, two below it
  const place = (tile) => {
    const pair = Math.floor(tile / 2);
    return [Math.floor(pair / across) * step + (tile % 2) * (height + 1), (pair % across) * (width + 1)];
  };
  const rows = Array.from({ length: down }, (_, row) => row * step + (height - 1) / 2);
  const bare = { showgrid: false, title: part.x, showticklabels: false };
  return {
    data: [heatmap(mosaic(part, place, down * step - 2, across * (width + 1) - 1), part.top, paint)],
    layout: {
      margin: { l: 58, r: 8, t: 8, b: 30 },
      xaxis: { ...bare, constrain: "domain" },
      yaxis: {
        ...bare, title: "", autorange: "reversed", scaleanchor: count > 2 ? "x" : undefined, constrain: "domain", showticklabels: true,
        tickvals: rows.flatMap((row) => [row, row + height + 1]), ticktext: rows.flatMap(() => ["original", "now"]),
        tickfont: { color: paint.text, size: down > 4 ? 9 : 11 },
      },
    },
  };
}
