// The views: each turns its part, small plain data, into plotly's traces.

const KB = 1000;
const nice = [1, 2, 5];

// 1-2-5 steps between two numbers, at most so many.
function steps(low, high, most) {
  const all = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++)
    for (const digit of nice) all.push(digit * 10 ** power);
  const inside = all.filter((value) => value >= low && value <= high);
  return inside.length > most ? inside.filter((value) => /^[0.]*1/.test(String(value))) : inside;
}

// Shipped sweeps as pale lines, and the papers' numbers as hollow squares.
function shippedTraces({ lines, papers }, method, paint) {
  const pale = lines.map(({ name, method: of, points }) => ({
    x: points.map((point) => point[0] / KB),
    y: points.map((point) => point[1]),
    mode: "lines",
    opacity: of === method ? 1 : 0.45,
    line: { width: of === method ? 4 : 2, color: paint.pale },
    hovertemplate: `${name}, shipped<br>%{x:.4~s} KB, %{y:.1f} %<extra></extra>`,
  }));
  const hollow = papers.map(({ name, point }) => ({
    x: [point[0] / KB],
    y: [point[1]],
    mode: "markers",
    marker: { symbol: "square-open", size: 11, color: paint.text, line: { width: 1.5 } },
    hovertemplate: `${name}, published<br>%{x:.4~s} KB, %{y:.2f} %<extra></extra>`,
  }));
  return [...pale, ...hollow];
}

// What stands still has its name beside it where there is room: the original first, then the guess, the papers, and the
// present method's shipped lines, each at one of its points. `at` turns [bytes, accuracy] into pixels.
function nameTraces({ original, guess, shipped, method }, paint, at, width, height) {
  const quiet = { colour: paint.quiet, size: 11 };
  const known = [
    { text: "original", points: [original], colour: paint.original, size: 12, reach: 12, sides: ["middle right", ...SIDES] },
    ...(guess ? [{ text: "your guess", points: [guess], colour: paint.text, size: 12, reach: 10, sides: [...SIDES].reverse() }] : []),
    ...shipped.papers.map(({ short, point }) => ({ ...quiet, text: short, points: [point], reach: 8, sides: [...SIDES].reverse() })),
  ];
  const boxes = known.map(({ points: [point], reach }) => [-1, -1, 1, 1].map((sign, end) => at(point)[end % 2] + sign * (reach - 3)));
  const own = shipped.lines.filter((line) => line.method === method);
  const named = own.map(({ name, points }) => ({
    ...quiet, text: `shipped: ${name.endsWith("trained") ? "trained" : "not trained"}`, points: [...points].reverse(), reach: 5,
    sides: ["top center", "bottom center", "top left", "bottom right"],
  }));
  const all = [...known, ...named];
  const found = room(all.map((name) => ({ ...name, points: name.points.map(at) })), boxes, width, height);
  return all.flatMap(({ text, points, colour, size, reach }, index) => {
    if (!found[index]) return [];
    const [[bytes, accuracy], side] = [points[found[index][0]], found[index][1]];
    return [{
      x: [bytes / KB], y: [accuracy], text: [text], mode: "markers+text", textposition: side, hoverinfo: "skip",
      textfont: { color: colour, size }, marker: { opacity: 0, size: 1.5 * reach },
    }];
  });
}

// Another method at the same value of the knob: hollow while it is an estimate, pale until it is there.
function otherTrace({ name, now, mark, estimate, late }, paint) {
  const color = hue(mark, paint);
  return {
    x: [now[0] / KB], y: [now[1]], mode: "markers", opacity: late ? 0.35 : 1,
    error_y: {
      type: "data", symmetric: false, color, thickness: 1, width: 4, array: [now[3] - now[1]], arrayminus: [now[1] - now[2]],
    },
    marker: { symbol: SYMBOLS[mark % SYMBOLS.length] + (estimate ? "-open" : ""), size: 12, color, line: { width: estimate ? 2 : 0, color } },
    hovertemplate: `${name}${estimate ? " (estimate)" : ""}: %{x:.4~s} KB, %{y:.1f} %<extra></extra>`,
  };
}

// Accuracy against bytes. The axes grow when a point leaves them and never shrink, so that nothing jumps.
function tradeoffView() {
  let span = null;
  return (part, paint, { width, height }) => {
    const { now, original, guess, trail, shipped, beside } = part;
    const points = [now, original, ...beside.map((other) => other.now), ...shipped.papers.map((mark) => mark.point), ...trail.flatMap((series) => series.points), ...(guess ? [guess] : [])];
    const key = String(original);
    if (!span || span.key !== key || part.fresh) // to the right of the original is room for its name
      span = { key, low: original[0] / 16, high: original[0] * 2.3, floor: Math.min(original[1] - 14, 82) };
    for (const [size, accuracy] of points) {
      span.low = Math.min(span.low, size / 1.4);
      span.high = Math.max(span.high, size * 1.5);
      while (accuracy < span.floor + 2 && span.floor > 0) span.floor = Math.max(0, span.floor - 14);
    }
    const ceiling = Math.min(101, Math.max(...points.map((point) => point[1])) + 3);
    const data = shippedTraces(shipped, part.method, paint);
    data.push(...trail.map(({ name, points }) => ({
      x: points.map((point) => point[0] / KB),
      y: points.map((point) => point[1]),
      mode: "lines+markers",
      name,
      line: { dash: "dot", width: 1.5, color: paint.quiet },
      marker: { size: 8, color: paint.pale, line: { width: 1, color: paint.data } },
      hovertemplate: `${name}<br>%{x:.4~s} KB, %{y:.1f} %<extra></extra>`,
    })));
    const single = (point, text, symbol, size, color) => ({
      x: [point[0] / KB],
      y: [point[1]],
      mode: "markers",
      marker: { symbol, size, color, line: { width: 1, color: paint.surface } },
      hovertemplate: `${text}: %{x:.4~s} KB, %{y:.1f} %<extra></extra>`,
    });
    const [wide, high] = [width - 66, height - 50]; // inside the axes
    const across = (size) => (wide * Math.log(size / span.low)) / Math.log(span.high / span.low);
    const at = ([size, accuracy]) => [across(size), (high * (ceiling - accuracy)) / (ceiling - span.floor)];
    data.push(...nameTraces(part, paint, at, wide, high));
    data.push(single(original, "original", "star", 18, paint.original));
    if (guess) data.push(single(guess, "your guess", "diamond", 14, paint.text));
    data.push(...beside.map((other) => otherTrace(other, paint)));
    data.push({
      x: [now[0] / KB],
      y: [now[1]],
      error_y: {
        type: "data", symmetric: false, color: paint.finger, thickness: 2, width: 6,
        array: [now[3] - now[1]], arrayminus: [now[1] - now[2]],
      },
      mode: "markers",
      marker: {
        size: 16,
        symbol: part.estimate ? "circle-open" : "circle",
        color: paint.finger,
        line: { width: part.estimate ? 3 : 1.5, color: part.estimate ? paint.finger : paint.surface },
      },
      hovertemplate: `now${part.estimate ? " (estimate)" : ""}: %{x:.4~s} KB, %{y:.1f} %<extra></extra>`,
    });
    const ends = [span.low / KB, span.high / KB];
    const ticks = steps(...ends, 9);
    const named = [{ name: part.method, now, mark: -1 }, ...beside].map((other) => ({
      x: Math.log10(other.now[0] / KB), y: other.now[1], text: other.name,
      colour: other.mark < 0 ? paint.big : hue(other.mark, paint),
    }));
    const left = across(now[0]) > 0.6 * wide;
    return {
      data,
      layout: {
        annotations: beside.length ? names(named, { range: [span.floor, ceiling], height: high, left }) : [],
        xaxis: {
          type: "log", range: ends.map(Math.log10), tickvals: ticks,
          ticktext: ticks.map((value) => value.toLocaleString("en")), title: "size of the saved file, KB (log)",
        },
        yaxis: { range: [span.floor, ceiling], title: `accuracy, % (${part.split})`, nticks: 8 },
      },
    };
  };
}

function sizesView(part, paint) {
  const names = part.rows.map((row) => row[0]);
  const top = Math.max(...part.rows.map((row) => Math.max(row[1], row[2]))) / KB;
  const bar = { type: "bar", orientation: "h", y: names, width: 0.72 };
  return {
    data: [
      {
        ...bar,
        x: part.rows.map((row) => row[1] / KB),
        marker: { color: paint.data },
        hovertemplate: "%{y} now: %{x:.4~r} KB<extra></extra>",
      },
      {
        ...bar,
        x: part.rows.map((row) => row[2] / KB),
        marker: { color: "rgba(0,0,0,0)", line: { color: paint.quiet, width: 1.2 } },
        hovertemplate: "%{y} originally: %{x:.4~r} KB<extra></extra>",
      },
      {
        x: part.rows.map((row) => Math.max(row[1], row[2]) / KB),
        y: names,
        text: part.rows.map((row) => ` ${row[3]}`),
        mode: "text",
        textposition: "middle right",
        textfont: { color: paint.text },
        cliponaxis: false,
        hoverinfo: "skip",
      },
    ],
    layout: {
      barmode: "overlay",
      margin: { l: 12 + 7 * Math.max(...names.map((name) => name.length)), r: 14, t: 4, b: 42 },
      xaxis: { range: [0, top * 1.2], title: "KB of the file: filled = now, outline = original", nticks: 6 },
      yaxis: { autorange: "reversed", showgrid: false, tickfont: { color: paint.text } },
    },
  };
}
