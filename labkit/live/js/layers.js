// Pictures of the layers themselves: which weights are left, what each layer gets, and what each tolerates alone.

// The share that is left in each cell: grey where nothing is, and the more the stronger.
function maskPicture(part, paint) {
  const { data, layout } = tilesPicture(part, paint);
  const [count, height, width] = part.shape;
  const few = 0.5 / 127; // a cell in which anything is left has at least the byte above zero
  const scale = [[0, paint.track], [few, paint.track], [few, paint.pale], [1, paint.data]];
  const percent = (share) => `${Number((100 * share).toPrecision(2))} %`;
  Object.assign(data[0], {
    zmin: 0, colorscale: scale, showscale: true, hovertemplate: "%{z:.1%} left<extra></extra>",
    colorbar: {
      thickness: 10, outlinewidth: 0, tickfont: { color: paint.quiet },
      tickvals: [0, part.top / 2, part.top], ticktext: ["none", percent(part.top / 2), percent(part.top)],
    },
  });
  if (count > 1 || height === width) {
    layout.xaxis.constrain = layout.yaxis.constrain = "domain";
    layout.yaxis.scaleanchor = "x";
  }
  return { data, layout };
}

// A bar for each layer with its number, filled over a hollow one of what the layer could have.
function barsPicture(part, paint, { width, height }) {
  const { values, names, marks } = part;
  const places = names.map((_, index) => index);
  const size = Math.max(8, Math.min(12, (height - 60) / names.length - 1));
  const ends = values.map((value, index) => Math.max(value, marks[index] ?? 0));
  const bar = { type: "bar", orientation: "h", y: places, width: 0.76, customdata: names };
  const read = (value) => value.toLocaleString("en", Number.isInteger(value) ? {} : { maximumSignificantDigits: 3 });
  const differ = new Set(marks).size > 1; // else the axis says it
  const said = values.map((value, index) => ` ${read(value)}${differ ? ` of ${read(marks[index])}` : ""}`);
  const widest = (texts) => 0.62 * size * Math.max(...texts.map((text) => text.length));
  const left = 14 + widest(names);
  const room = 1 - widest(said) / Math.max(80, width - left - 14); // for a number beside the longest bar
  return {
    data: [
      { ...bar, x: values, marker: { color: paint.data }, hovertemplate: "%{customdata}: %{x}<extra></extra>" },
      {
        ...bar, x: marks, hovertemplate: "%{customdata}: at most %{x}<extra></extra>",
        marker: { color: veil(paint.quiet, 0.12), line: { color: paint.quiet, width: 1 } },
      },
      {
        x: ends, y: places, mode: "text", textposition: "middle right", textfont: { color: paint.text, size }, cliponaxis: false,
        text: said, hoverinfo: "skip",
      },
    ],
    layout: {
      barmode: "overlay",
      margin: { l: left, r: 14, t: 4, b: 42 },
      xaxis: { title: part.x, range: [0, Math.max(...ends) / Math.max(0.3, room)], nticks: 6 },
      yaxis: {
        title: "", range: [names.length - 0.4, -0.6], showgrid: false, tickvals: places, ticktext: names,
        tickfont: { color: paint.text, size },
      },
    },
  };
}

// A line for each layer, told apart by hue, dash and marker, with its name at the end where the knob is strong.
function linesPicture(part, paint, { width, height }) {
  const last = part.shown.length - 1;
  const left = part.strong === "left";
  const many = part.lines.length > 8;
  const all = [part.whole, ...part.lines.flatMap((line) => line.values)].filter((value) => value !== null);
  const range = [Math.max(0, Math.min(...all) - 4), Math.min(101, Math.max(...all) + 3)];
  const room = 34 + 6.2 * Math.min(20, Math.max(0, ...part.lines.map((line) => line.name.length)));
  const widest = 7 * Math.max(...part.shown.map((text) => text.length)) + 12;
  const every = Math.ceil((part.shown.length * widest) / (width - room - 50));
  const ticks = part.shown.map((_, index) => index).filter((index) => (left ? index : last - index) % every === 0);
  const ends = part.lines.map(({ name, values }, index) => {
    const known = values.flatMap((value, place) => (value === null ? [] : [place]));
    const x = left ? known[0] : known[known.length - 1];
    return { x, y: values[x], text: name, colour: hue(index, paint) };
  });
  const lines = part.lines.map(({ name, values }, index) => ({
    x: values.map((_, place) => place), y: values, mode: "lines+markers", connectgaps: true, customdata: part.shown,
    line: { color: hue(index, paint), dash: DASHES[(index + Math.floor(index / HUES)) % DASHES.length], width: many ? 1.3 : 2 },
    marker: { symbol: SYMBOLS[index % SYMBOLS.length], size: many ? 5 : 7, color: hue(index, paint) },
    hovertemplate: `${name} at %{customdata}: %{y:.1f} %<extra></extra>`,
  }));
  const tolerated = {
    x: [0, last], y: [part.whole - 1, part.whole - 1], mode: "lines", hoverinfo: "skip",
    line: { color: paint.quiet, dash: "dot", width: 1 },
  };
  const note = {
    x: left ? last : 0, y: part.whole - 1, text: "−1 point", showarrow: false, xanchor: left ? "right" : "left",
    yanchor: "top", font: { color: paint.quiet, size: 11 },
  };
  return {
    data: [tolerated, ...lines],
    layout: {
      margin: { l: left ? room : 52, r: left ? 48 : room, t: 8, b: 42 },
      xaxis: {
        title: part.x, range: [-0.3, last + 0.3], tickvals: ticks, ticktext: ticks.map((index) => part.shown[index]), tickangle: 0,
      },
      yaxis: { title: part.y, range, nticks: 7, side: left ? "right" : "left" },
      annotations: [note, ...names(ends, { range, height: height - 50, left })],
    },
  };
}
