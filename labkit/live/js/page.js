// A widget's place in the page: one root element, and the messages that reach its view.

// Keys that move a control must not reach JupyterLab, where they move the notebook.
const OWN_KEYS = /^(Arrow|Page|Home|End|Enter| )/;

function page(label, View) {
  return ({ model, el }) => {
    const guard = (event) => OWN_KEYS.test(event.key) && !event.shiftKey && !event.ctrlKey && event.stopPropagation();
    const root = h("section", { class: "lk-panel", "aria-label": label, onkeydown: guard });
    el.append(root);
    const view = new View(model, root);
    const receive = (content, buffers) => {
      if (content.plotly) receivePlotly(buffers[0]);
      if (content.parts) view.show(content.parts);
    };
    model.on("msg:custom", receive);
    model.send({ ask: "parts" });
    return () => {
      model.off("msg:custom", receive);
      view.close();
    };
  };
}
