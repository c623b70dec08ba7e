// The method's card: text with exponents, its equation, its paper.

const superscript = (text) => {
  const parts = text.split(/\^(\w+)/);
  return parts.map((part, index) => (index % 2 ? h("sup", {}, part) : part));
};

// MathML comes as text; read as XML it can hold no script that a page would run.
const mathematics = (equation) => {
  const read = new DOMParser().parseFromString(equation, "application/xml").documentElement;
  return read.localName === "math" ? document.importNode(read, true) : h("code", {}, equation);
};

const reference = ({ text, link }) =>
  link ? h("a", { href: link, target: "_blank", rel: "noopener" }, text) : h("span", {}, text);
