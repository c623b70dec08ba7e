// Names beside points: pushed apart so that none covers another, each with a line to its point.

const SYMBOLS = ["triangle-up", "x", "triangle-down", "cross", "hexagon", "pentagon", "hourglass"];
const DASHES = ["solid", "dash", "dot", "dashdot", "longdash"];
const HUES = 6; // as many as the style sheet has

const hue = (index, paint) => paint[`line${index % HUES}`];

// Moves heights in pixels apart by at least a gap, and no further down than the bottom.
function apart(heights, gap, bottom) {
  const order = heights.map((_, index) => index).sort((a, b) => heights[a] - heights[b]);
  const moved = [...heights];
  let free = -Infinity;
  for (const index of order) free = (moved[index] = Math.max(moved[index], free)) + gap;
  free = bottom;
  for (const index of order.reverse()) free = (moved[index] = Math.min(moved[index], free)) - gap;
  return moved;
}

// points: [{x, y, text, colour}], x as the axis counts, a logarithm where it is logarithmic. `range` is
// that of the y axis, `height` in pixels that of the plot inside its axes.
function names(points, { range: [floor, ceiling], height, left }) {
  const gap = Math.min(15, height / points.length);
  const from = points.map((point) => ((ceiling - point.y) / (ceiling - floor)) * height);
  const to = apart(from, gap, height);
  return points.map(({ x, y, text, colour }, index) => ({
    x, y, text, showarrow: true, arrowhead: 0, arrowwidth: 1, arrowcolor: colour, standoff: 6,
    ax: left ? -24 : 24, ay: to[index] - from[index], xanchor: left ? "right" : "left", borderpad: 0,
    font: { color: colour, size: Math.max(9, Math.min(11, gap)) },
  }));
}

const SIDES = ["middle left", "middle right", "top center", "bottom center", "top left", "top right", "bottom left", "bottom right"];

// Where a text stands beside a point: [left, top, right, bottom] in pixels.
function boxed([x, y], side, text, size, reach) {
  const [vertical, horizontal] = side.split(" ");
  const wide = 0.58 * size * text.length;
  const left = { left: x - reach - wide, center: x - wide / 2, right: x + reach }[horizontal];
  const top = { top: y - reach - size, middle: y - size / 2, bottom: y + reach }[vertical];
  return [left, top, left + wide, top + size];
}

const meet = (one, other) => one[0] < other[2] && other[0] < one[2] && one[1] < other[3] && other[1] < one[3];

// Finds for each name, in their order, the first of its points and sides where it stays inside and covers nothing: [point,
// side], or null where it is left to hover. names: [{text, size, reach, points, sides}] in pixels, `taken` boxes.
function room(names, taken, width, height) {
  const boxes = [...taken];
  return names.map(({ text, size = 11, reach = 2, points, sides = SIDES }) => {
    const places = points.flatMap((at) => sides.map((side) => [at, side, boxed(at, side, text, size, reach)]));
    const inside = ([left, top, right, bottom]) => left > 0 && top > 0 && right < width && bottom < height;
    const found = places.find(([, , box]) => inside(box) && !boxes.some((other) => meet(box, other)));
    if (!found) return null;
    boxes.push(found[2]);
    return [points.indexOf(found[0]), found[1]];
  });
}
