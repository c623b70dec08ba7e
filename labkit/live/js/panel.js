// The panel: builds its elements once, then only changes what Python says has changed.

class View {
  constructor(model, root) {
    Object.assign(this, { model, root });
    this.heading = h("div", { class: "lk-title", role: "heading", "aria-level": 3 });
    this.idea = h("span", {});
    this.card = h("dl", { class: "lk-about" });
    this.kept = h("div", { class: "lk-kept" });
    const about = h("details", { class: "lk-details" }, h("summary", {}, "card"), this.card);
    this.controls = new Controls((change) => this.wish(change), (button) => model.send({ press: button }));
    this.tiles = h("div", { class: "lk-tiles" });
    this.alert = h("div", { class: "lk-alert", role: "alert", hidden: true });
    this.said = h("div", { class: "lk-said", "aria-hidden": "true" });
    this.live = h("div", { class: "lk-live", "aria-live": "polite" });
    this.flips = h("div", { class: "lk-flips" });
    this.flipsNote = h("div", { class: "lk-note" });
    const plot = (name, build) => {
      const element = h("div", { class: `lk-plot lk-plot-${name}`, role: "img", "aria-label": "" });
      const title = h("div", { class: "lk-view-title" });
      const box = h("div", { class: `lk-card lk-view lk-view-${name}` }, h("div", { class: "lk-view-head" }, title), element);
      return { box, title, plot: new Plot(model, root, element, build) };
    };
    this.tradeoff = plot("tradeoff", tradeoffView());
    this.picture = plot("picture", pictureView);
    this.sizes = plot("sizes", sizesView);
    this.look = h("select", { class: "lk-select lk-look", "aria-label": "second view", onchange: () => model.send({ look: this.look.value }) });
    this.picture.title.after(this.look);
    this.tradeoff.title.textContent = "Accuracy against size";
    this.sizes.title.textContent = "Where the bytes go";
    const flipped = h(
      "div", { class: "lk-card lk-view lk-view-flips" },
      h("div", { class: "lk-view-title" }, "Pictures that flipped from right to wrong"), this.flips, this.flipsNote,
    );
    const views = h("div", { class: "lk-views" }, this.tradeoff.box, this.picture.box, this.sizes.box, flipped);
    const head = h("div", { class: "lk-head" }, h("div", { class: "lk-intro" }, this.heading, h("div", { class: "lk-idea" }, this.idea, " "), about), this.controls.choices);
    root.append(head, this.kept, this.controls.knob, this.alert, this.tiles, views, h("div", { class: "lk-foot" }, this.controls.bar, this.said), this.live);
    this.parts = {};
    this.stopTheme = followTheme(root, () => this.plots().forEach((item) => item.schedule()));
  }

  plots() {
    return [this.tradeoff, this.picture, this.sizes].map((item) => item.plot);
  }

  wish(change) {
    const last = this.model.get("want");
    const seq = Math.max(last.seq ?? 0, this.parts.place?.seq ?? 0) + 1;
    const knob = Number(this.controls.range.value);
    this.model.set("want", { ...this.controls.choice(), knob, ...change, seq });
    this.model.save_changes();
  }

  show(parts) {
    Object.assign(this.parts, parts);
    if (parts.title) this.showTitle(parts.title);
    if (this.parts.place) this.controls.show(parts, this.parts, this.parts.place.seq >= (this.model.get("want").seq ?? 0));
    if (parts.tiles) this.showTiles(parts.tiles);
    if (parts.tradeoff || parts.trail || parts.shipped || parts.beside) this.showTradeoff(parts);
    if (parts.views) {
      this.look.replaceChildren(...parts.views.values.map((value) => h("option", { value }, value)));
      this.look.value = parts.views.value;
    }
    if (parts.picture) {
      this.picture.title.textContent = parts.picture.title;
      this.picture.plot.show(parts.picture);
    }
    if (parts.sizes) this.sizes.plot.show(parts.sizes);
    if (parts.flips) this.showFlips(parts.flips);
    if (parts.alert !== undefined) {
      this.alert.textContent = parts.alert;
      this.alert.hidden = !parts.alert;
    }
    if (parts.say) {
      this.said.textContent = parts.say.text;
      if (parts.say.rest) this.live.textContent = parts.say.text; // spoken once the knob rests
    }
    this.root.dataset.shown = 1 + Number(this.root.dataset.shown || 0);
  }

  showTradeoff({ trail: visited }) {
    const { tradeoff, trail, shipped, beside, title } = this.parts;
    const text = [tradeoff, beside, shipped].map((part) => part.text).join(" ");
    const fresh = visited && visited.length === 1 && visited[0].points.length === 1;
    this.tradeoff.plot.show({ ...tradeoff, text, trail, shipped, beside: beside.points, method: title.title, fresh });
  }

  showTitle(card) {
    this.heading.textContent = card.title;
    this.idea.replaceChildren(...superscript(card.idea));
    const row = (name, ...value) => [h("dt", {}, name), h("dd", {}, ...value)];
    this.card.replaceChildren(
      ...row("equation", mathematics(card.equation)), ...row("stores", ...superscript(card.stores)),
      ...row("drawback", card.drawback), ...row("paper", reference(card.paper)),
    );
    this.kept.replaceChildren(...card.kept.map((done) => h("span", { class: "lk-chip" }, done)));
    if (card.kept.length) this.kept.prepend(h("span", {}, "kept so far: "));
  }

  showTiles(tiles) {
    while (this.tiles.children.length < tiles.length)
      this.tiles.append(h("div", { class: "lk-card lk-tile" }, ...["label", "value", "note"].map((name) => h("div", { class: `lk-tile-${name}` }))));
    tiles.forEach((tile, index) => {
      for (const name of ["label", "value", "note"]) {
        const place = this.tiles.children[index].querySelector(`.lk-tile-${name}`);
        if (place.textContent !== tile[name]) place.textContent = tile[name];
      }
    });
  }

  showFlips(part) {
    const size = 56;
    this.flipsNote.textContent = part.summary;
    this.flips.replaceChildren(
      ...part.items.map(([truth, taken], index) => {
        const picture = h("div", { class: "lk-picture", role: "img", "aria-label": `${truth} taken for ${taken}` });
        Object.assign(picture.style, {
          width: `${size}px`, height: `${size}px`, backgroundImage: `url(${part.png})`,
          backgroundSize: `auto ${size}px`, backgroundPosition: `-${index * size}px 0`,
        });
        return h("div", { class: "lk-flip" }, picture, h("div", {}, truth), h("div", { class: "lk-taken" }, `→ ${taken}`));
      }),
    );
  }

  close() {
    this.stopTheme();
    this.plots().forEach((item) => item.close());
  }
}

export default { render: page("Compression panel", View) };
