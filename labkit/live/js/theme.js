// Colours: the style sheet holds them, the plots read them from there.

const LINES = ["line0", "line1", "line2", "line3", "line4", "line5"];
const COLOURS = ["text", "quiet", "grid", "data", "pale", "finger", "original", "surface", "track", "big", ...LINES];

function colours(root) {
  const style = getComputedStyle(root);
  const found = { font: style.fontFamily };
  for (const name of COLOURS) found[name] = style.getPropertyValue(`--lk-${name}`).trim();
  return found;
}

// The nearest background that is painted behind an element, as [red, green, blue].
function backdrop(element) {
  for (let node = element; node; node = node.parentElement) {
    const [r, g, b, a = 1] = (getComputedStyle(node).backgroundColor.match(/[\d.]+/g) || [0, 0, 0, 0]).map(Number);
    if (a > 0.5) return [r, g, b];
  }
  return [255, 255, 255];
}

function isDark(root) {
  const [r, g, b] = backdrop(root.parentElement || root);
  return 0.299 * r + 0.587 * g + 0.114 * b < 128;
}

// Sets data-theme on the panel now and whenever the page changes its theme; returns a function that stops it.
function followTheme(root, changed) {
  const apply = () => {
    const theme = isDark(root) ? "dark" : "light";
    if (root.dataset.theme === theme) return;
    root.dataset.theme = theme;
    changed();
  };
  let timer;
  const soon = () => {
    apply();
    clearTimeout(timer);
    timer = setTimeout(apply, 300); // the theme's style sheet may arrive after the attribute
  };
  const observer = new MutationObserver(soon);
  for (const node of [document.documentElement, document.body]) observer.observe(node, { attributes: true });
  observer.observe(document.head, { childList: true });
  soon();
  return () => {
    observer.disconnect();
    clearTimeout(timer);
  };
}

// h("div", {class: "x", onclick: f}, "text", child): an element.
function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== undefined));
  return element;
}
