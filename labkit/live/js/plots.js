// plotly.js comes once for each page, and a plot draws at most once for each frame of the screen.

const RETRY_MS = 8000;

function plotly(model) {
  const home = (globalThis.labkitPlotly ??= {});
  home.ready ??= new Promise((resolve) => (home.resolve = resolve));
  const ask = () => {
    if (home.library || performance.now() - home.asked < RETRY_MS) return;
    home.asked = performance.now();
    model.send({ ask: "plotly" });
    setTimeout(ask, RETRY_MS + 1); // the panel that was asked may have been closed
  };
  ask();
  return home.ready;
}

async function receivePlotly(packed) {
  const home = globalThis.labkitPlotly;
  if (home.library) return;
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const text = await new Response(stream).text();
  if (home.library) return;
  const module = { exports: {} };
  // Hiding `define` keeps the library from registering itself with a page's RequireJS.
  new Function("module", "exports", "define", `${text};`)(module, module.exports, undefined);
  home.library = module.exports.newPlot ? module.exports : globalThis.Plotly;
  home.resolve(home.library);
}

// One plot for each frame: the first picture after a key is on the screen before the next is begun.
const queue = [];

function enqueue(plot) {
  queue.push(plot);
  if (queue.length === 1) requestAnimationFrame(drawNext);
}

function drawNext() {
  queue[0]
    .draw()
    .catch((error) => console.error(error))
    .finally(() => {
      queue.shift();
      if (queue.length) requestAnimationFrame(drawNext);
    });
}

const CONFIG = { displayModeBar: false, responsive: false, scrollZoom: false, doubleClick: false };

class Plot {
  // build(part, colours, {width, height}) returns {data, layout}; part.text is the picture in words.
  constructor(model, root, element, build) {
    Object.assign(this, { root, element, build, part: null });
    this.canvas = h("div", { class: "lk-canvas" });
    element.append(this.canvas);
    plotly(model).then((library) => {
      this.library = library;
      this.schedule();
    });
    this.observer = new ResizeObserver(() => this.schedule());
    this.observer.observe(element);
  }

  show(part) {
    this.part = part;
    this.element.setAttribute("aria-label", part.text);
    this.schedule();
  }

  schedule() {
    if (!queue.includes(this, 1)) enqueue(this); // at the front it may be half drawn already
  }

  async draw() {
    const width = this.element.clientWidth;
    const height = this.element.clientHeight;
    if (!this.library || !this.part || this.gone || width < 40 || height < 40) return;
    const paint = colours(this.root);
    const { data, layout } = this.build(this.part, paint, { width, height });
    await this.library.react(this.canvas, data, frame(layout, paint, width, height), CONFIG);
    this.element.dataset.drawn = 1 + Number(this.element.dataset.drawn || 0);
  }

  close() {
    this.gone = true;
    this.observer.disconnect();
    this.library?.purge(this.canvas);
  }
}

// What all plots share: no background of their own, the page's font, thin grid, nothing that pans or zooms.
function frame(layout, paint, width, height) {
  const axis = (own = {}) => ({
    gridcolor: paint.grid,
    linecolor: paint.grid,
    zeroline: false,
    fixedrange: true,
    ticks: "",
    tickfont: { color: paint.quiet },
    ...own,
    title: { text: own.title || "", font: { color: paint.quiet, size: 12 }, standoff: 6 },
  });
  return {
    template: "none",
    width,
    height,
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: paint.font, size: 12, color: paint.text },
    margin: { l: 52, r: 14, t: 8, b: 42 },
    showlegend: false,
    dragmode: false,
    hovermode: "closest",
    ...layout,
    xaxis: axis(layout.xaxis),
    yaxis: axis(layout.yaxis),
    ...(layout.yaxis2 && { yaxis2: axis(layout.yaxis2) }),
  };
}
