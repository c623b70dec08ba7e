// The map of everything that was found: a plot whose points open as live models.

const SHAPES = ["circle", "square", "diamond", "triangle-up", "cross", "hexagon", "star-triangle-down", "pentagon"];
const AXES = [["network", "network"], ["cost", "cost"], ["method", "method"], ["spot", "point on the frontier"]];

function mapView(part, paint) {
  const unit = part.unit;
  const traces = part.groups.map(({ name, mark, two, spots }) => ({
    x: spots.map((spot) => spot.x), y: spots.map((spot) => spot.y), customdata: spots.map((spot) => spot.key),
    text: spots.map((spot) => spot.text), name, mode: "markers",
    marker: {
      symbol: SHAPES[mark % SHAPES.length], size: two ? 11 : 8, opacity: 0.8, color: two ? paint.finger : hue(mark, paint),
      line: { width: two ? 1 : 0.5, color: paint.surface },
    },
    hovertemplate: `%{text}<br>%{x:.4~s} ${unit}, %{y:.2f} %<extra>${name}</extra>`,
  }));
  const lines = part.lines.map(({ name, two, points }) => ({
    x: points.map((point) => point[0]), y: points.map((point) => point[1]), mode: "lines", hoverinfo: "skip", name,
    line: { shape: "hv", width: two ? 3 : 2, dash: two ? "dash" : "solid", color: two ? paint.finger : paint.quiet },
  }));
  const single = (point, text, symbol, size, color) => ({
    x: [point[0]], y: [point[1]], mode: "markers", hovertemplate: `${text}: %{x:.4~s} ${unit}, %{y:.2f} %<extra></extra>`,
    marker: { symbol, size, color, line: { width: 2, color } },
  });
  const extra = part.original ? [single(part.original, "original", "star", 17, paint.original)] : [];
  if (part.guess) extra.push(single(part.guess, "your guess", "diamond", 13, paint.text));
  if (part.chosen) extra.push(single(part.chosen, "chosen", "circle-open", 20, paint.text));
  const ticks = steps(...part.range, 12);
  return {
    data: [...lines, ...traces, ...extra],
    layout: {
      margin: { l: 52, r: 14, t: 8, b: 46 },
      xaxis: {
        type: "log", range: part.range.map(Math.log10), title: `${part.axis} (log)`, tickvals: ticks,
        ticktext: ticks.map((value) => part.si(value)),
      },
      yaxis: { range: part.span, title: `accuracy, % (${part.split})`, nticks: 9 },
    },
  };
}

// 2000000 as 2 M, 0.00002 as 20 µ.
function prefixed(value, unit) {
  const power = Math.min(9, Math.max(-9, 3 * Math.floor(Math.log10(value * 1.0000001) / 3)));
  return `${Number((value / 10 ** power).toPrecision(3))} ${{ "-9": "n", "-6": "µ", "-3": "m", 0: "", 3: "K", 6: "M", 9: "G" }[power]}${unit}`;
}

class MapPlot extends Plot {
  async draw() {
    await super.draw();
    if (this.bound || !this.canvas.on) return;
    this.bound = true;
    this.canvas.on("plotly_click", ({ points }) => points[0].customdata && this.clicked(points[0].customdata));
  }
}

class MapPage {
  constructor(model, root) {
    Object.assign(this, { model, root, selects: {} });
    const choices = h("div", { class: "lk-choices lk-map-choices" });
    for (const [name, label] of AXES) {
      const wish = () => model.send({ choose: { [name]: this.selects[name].value } });
      this.selects[name] = h("select", { class: `lk-select lk-map-${name}`, onchange: wish });
      choices.append(h("label", { class: "lk-choice" }, h("span", {}, label), this.selects[name]));
    }
    this.legend = h("div", { class: "lk-map-legend" });
    this.element = h("div", { class: "lk-plot lk-plot-map", role: "img", "aria-label": "" });
    this.about = h("div", { class: "lk-said lk-map-about" });
    this.button = h("button", { type: "button", class: "lk-button lk-open", onclick: () => model.send({ open: this.chosen }) }, "Open as a live model");
    this.alert = h("div", { class: "lk-alert", role: "alert", hidden: true });
    this.live = h("div", { class: "lk-live", "aria-live": "polite" });
    const foot = h("div", { class: "lk-foot" }, h("div", { class: "lk-buttons" }, this.button), this.about);
    const box = h("div", { class: "lk-card lk-view lk-view-map" }, this.legend, this.element);
    root.append(h("div", { class: "lk-title", role: "heading", "aria-level": 3 }, "The frontier: what nothing beats"), choices, this.alert, box, foot, this.live);
    this.plot = new MapPlot(model, root, this.element, mapView);
    this.plot.clicked = (key) => model.send({ open: key });
    this.stopTheme = followTheme(root, () => { this.plot.schedule(); this.showLegend(); });
  }

  show(parts) {
    Object.assign(this.parts ??= {}, parts);
    for (const { name, values, shown, value } of parts.choices ?? []) {
      const select = this.selects[name];
      select.replaceChildren(...values.map((one, index) => h("option", { value: one }, shown[index])));
      select.value = value;
    }
    if (parts.map) {
      this.plot.show({ ...parts.map, si: (value) => prefixed(value, parts.map.unit) });
      this.showLegend();
      this.live.textContent = parts.map.text;
    }
    if (parts.about) {
      this.about.textContent = parts.about.text;
      this.chosen = parts.about.key;
      this.button.disabled = !parts.about.key;
    }
    if (parts.alert !== undefined) {
      this.alert.textContent = parts.alert;
      this.alert.hidden = !parts.alert;
    }
    this.root.dataset.shown = 1 + Number(this.root.dataset.shown || 0);
  }

  // Each theme by colour, shape and name; the two lines by dash and name.
  showLegend() {
    if (!this.parts?.map) return;
    const paint = colours(this.root);
    const sign = { circle: "●", square: "■", diamond: "◆", "triangle-up": "▲", cross: "✚", hexagon: "⬢", "star-triangle-down": "▼", pentagon: "⬟" };
    const entry = (mark, color, text) => {
      const glyph = h("span", { "aria-hidden": "true" }, mark);
      glyph.style.color = color;
      return h("span", { class: "lk-map-entry" }, glyph, ` ${text}`);
    };
    this.legend.replaceChildren(
      ...this.parts.map.groups.map(({ name, mark, two, spots }) => entry(sign[SHAPES[mark % SHAPES.length]], two ? paint.finger : hue(mark, paint), `${name} (${spots.length})`)),
      ...this.parts.map.lines.map(({ name, two }) => entry(two ? "╍╍" : "━━", two ? paint.finger : paint.quiet, name)),
      entry("★", paint.original, "original"),
      ...(this.parts.map.guess ? [entry("◆", paint.text, "your guess")] : []),
    );
  }

  close() {
    this.stopTheme();
    this.plot.close();
  }
}

export default { render: page("Everything that was found", MapPage) };
