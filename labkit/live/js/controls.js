// The choices, the knob and the buttons. What they wish goes to Python; what Python shows comes back.

class Controls {
  // wish(change) sends what was chosen; press(button) presses a button.
  constructor(wish, press) {
    this.selects = {};
    this.choices = h("div", { class: "lk-choices" });
    this.label = h("label", { class: "lk-knob-label" });
    this.value = h("output", { class: "lk-knob-value", "aria-hidden": "true" });
    this.range = h("input", { type: "range", class: "lk-range", min: 0, step: 1, oninput: () => this.moved(wish) });
    this.range.id = `lk-range-${Math.random().toString(36).slice(2)}`;
    this.label.htmlFor = this.range.id;
    this.ticks = h("div", { class: "lk-ticks", "aria-hidden": "true" });
    this.knob = h(
      "div", { class: "lk-card lk-knob" },
      h("div", { class: "lk-knob-head" }, this.label, this.value), this.range, this.ticks,
    );
    this.buttons = {};
    this.bar = h("div", { class: "lk-buttons" });
    for (const [name, text] of BUTTONS) {
      this.buttons[name] = h("button", { type: "button", class: `lk-button lk-${name}`, onclick: () => press(this.named(name)) }, text);
      this.bar.append(this.buttons[name]);
    }
    this.progress = h("progress", { class: "lk-progress", max: 1, hidden: true, "aria-label": "training" });
    this.bar.append(this.progress);
    this.wish = wish;
    new ResizeObserver(() => this.label_ticks()).observe(this.ticks);
  }

  named(name) {
    return name === "tune" && this.parts?.buttons.training ? "stop" : name;
  }

  moved(wish) {
    this.read();
    wish({ knob: Number(this.range.value) });
  }

  // What stands at the knob follows the finger at once; everything else waits for the measurement.
  read() {
    const { shown, name } = this.parts.knob;
    const index = Number(this.range.value);
    this.value.textContent = shown[index];
    this.range.setAttribute("aria-valuetext", `${name} ${shown[index]}`);
    this.range.style.setProperty("--lk-share", shown.length > 1 ? index / (shown.length - 1) : 0);
  }

  // `mine`: no newer wish is on its way, so the controls may move to where Python says.
  show(changed, parts, mine) {
    this.parts = parts;
    if (changed.knob) {
      this.label.textContent = changed.knob.label;
      this.range.max = changed.knob.shown.length - 1;
      this.label_ticks();
    }
    if (changed.choices || mine) for (const choice of parts.choices) this.choose(choice, mine);
    if (mine || changed.knob) this.range.value = parts.place.index;
    this.read();
    if (changed.buttons) this.showButtons(changed.buttons);
  }

  showButtons({ undo, training }) {
    this.buttons.undo.disabled = !undo;
    this.buttons.tune.textContent = training ? "Stop training" : BUTTONS[0][1];
    this.progress.hidden = !training;
    this.progress.value = training?.share ?? 0;
  }

  choose(choice, mine) {
    let select = this.selects[choice.name];
    if (!select) {
      select = this.selects[choice.name] = h("select", { class: `lk-select lk-choice-${choice.name}` });
      select.addEventListener("change", () => this.wish({ [choice.name]: select.value, knob: null }));
      this.choices.append(h("label", { class: "lk-choice" }, h("span", {}, choice.name), select));
    }
    const key = JSON.stringify([choice.values, choice.shown]);
    if (select.dataset.key !== key) {
      select.dataset.key = key;
      select.replaceChildren(...choice.values.map((value, i) => h("option", { value }, choice.shown[i])));
      mine = true;
    }
    if (mine) select.value = choice.value;
  }

  // As many values under the knob as fit, the first and the last always.
  label_ticks() {
    if (!this.parts) return;
    const { shown } = this.parts.knob;
    const last = Math.max(1, shown.length - 1);
    const widest = Math.max(...shown.map((text) => text.length)) * 7.5 + 14;
    const every = Math.max(1, Math.ceil((widest * last) / Math.max(1, this.ticks.clientWidth)));
    this.ticks.replaceChildren(
      ...shown.flatMap((text, index) => {
        const near = last - index < every && index !== last;
        if ((index % every || near) && index !== last) return [];
        const tick = h("span", {}, text);
        tick.style.left = `${(100 * index) / last}%`;
        return [tick];
      }),
    );
  }

  choice() {
    const found = {};
    for (const [name, select] of Object.entries(this.selects)) found[name] = select.value;
    return found;
  }
}

const BUTTONS = [
  ["tune", "Fine-tune 10 s"],
  ["save", "Save this model"],
  ["keep", "Keep, and add a method"],
  ["undo", "Undo"],
  ["reset", "Reset"],
];
