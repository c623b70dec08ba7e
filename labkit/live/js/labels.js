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
