"use strict";
// Shows what the page holds: the theme, the gallery of flipped questions, files to save.
// All text comes from models and data sets, so it only ever becomes text nodes, never markup.

const CARDS_AT_A_TIME = 20;
const OUTCOMES = {
  "right-wrong": "one right, one wrong",
  "wrong-wrong": "both wrong",
  "unreadable": "one cannot be read",
};

function byId(id) {
  return document.getElementById(id);
}

function embedded(id) {
  const found = byId(id);
  return found ? JSON.parse(found.textContent) : null;
}

function make(tag, className, ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children); // strings become text nodes
  return made;
}

// The theme

function setUpTheme() {
  const button = byId("theme");
  const prefersDark = matchMedia("(prefers-color-scheme: dark)");
  const root = document.documentElement;
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : prefersDark.matches);
  const label = () => { button.textContent = isDark() ? "Light" : "Dark"; };
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    label();
  });
  prefersDark.addEventListener("change", label);
  label();
  button.hidden = false;
}

// Files

function save(name, content, type) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([content], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

function savePng(name, svg) {
  const picture = new Image();
  picture.addEventListener("load", () => {
    const canvas = document.createElement("canvas");
    canvas.width = 3 * picture.naturalWidth;
    canvas.height = 3 * picture.naturalHeight;
    canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
    canvas.toBlob((blob) => save(name, blob, "image/png"), "image/png");
  });
  picture.src = "data:image/svg+xml;charset=utf-8," + encodeURIComponent(svg);
}

function setUpFiles() {
  const types = { csv: "text/csv", md: "text/markdown", svg: "image/svg+xml" };
  let files = null; // read when first wanted
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-file]");
    if (!button) return;
    files = files || embedded("file-data");
    const name = button.dataset.file;
    const ending = name.slice(name.lastIndexOf(".") + 1);
    if (ending === "png") savePng(name, files[name.slice(0, -3) + "svg"]);
    else save(name, files[name], types[ending]);
  });
  for (const each of document.querySelectorAll(".files")) each.hidden = false;
}

// The gallery

function pictureView(picture, slot, panel, pictures) {
  const classes = ["picture"];
  if (picture.gold) classes.push("gold");
  if (picture.chosen) classes.push("chosen");
  if (!panel.correct) classes.push("wrong");
  const image = document.createElement("img");
  image.src = pictures[picture.picture];
  image.alt = "picture " + picture.letter;
  const view = make("div", classes.join(" "), image, `Image ${slot + 1} · `, make("b", "", picture.letter));
  if (picture.chosen) view.append(make("br"), "chosen");
  return view;
}

function optionView(option) {
  const view = make("li", "", option.line);
  if (option.gold) view.append(make("span", "tag good", "right"));
  if (option.chosen) view.append(make("span", "tag " + (option.gold ? "good" : "bad"), "chosen"));
  return view;
}

function judgementView(panel) {
  if (panel.correct) return make("span", "good", "✓ right");
  return make("span", "bad", panel.answer ? "✗ wrong" : "✗ no answer to be read");
}

function panelView(panel, pictures) {
  const view = make("div", "panel");
  view.append(make("div", "soft", "order " + panel.order + (panel.isCanonical ? ", canonical" : "")));
  view.append(make("div", "pictures", ...panel.pictures.map((each, slot) => pictureView(each, slot, panel, pictures))));
  view.append(make("div", "question", panel.text));
  if (panel.options.length) view.append(make("ul", "options", ...panel.options.map(optionView)));
  else view.append(make("p", "soft", "Right: " + panel.gold));
  const reply = make("pre", "", panel.reply || "(empty reply)");
  reply.tabIndex = 0; // a long one is scrolled by keyboard
  const result = make("div", "result", judgementView(panel));
  if (panel.answer) result.append(": " + panel.answer);
  if (panel.answer && panel.canonical && panel.canonical !== panel.answer) {
    result.append(" ", make("span", "soft", `(in canonical terms: ${panel.canonical})`));
  }
  view.append(reply, result);
  return view;
}

function cardView(card, data) {
  const facts = [card.orderClass, card.task, card.key].filter((each) => each).join(" · ");
  const header = make("header", "", make("strong", "", card.kind || card.key), make("span", "soft", facts));
  if (data.runs.length > 1) {
    header.prepend(make("span", "run-" + (card.run % 6), make("span", "dot", "●"), "\u00a0" + data.runs[card.run]));
  }
  return make("article", "box card", header, make("div", "panels", ...card.panels.map((each) => panelView(each, data.pictures))));
}

function searchText(card) {
  const texts = [card.key];
  for (const panel of card.panels) {
    texts.push(panel.text, panel.reply, panel.answer, ...panel.options.map((option) => option.line));
  }
  return texts.join("\n").toLowerCase();
}

function fillSelect(form, name, cards, label) {
  const values = [...new Set(cards.map((card) => String(card[name])))].filter((each) => each);
  const select = form.elements[name];
  select.closest("label").hidden = values.length < 2;
  const numbers = new Map();
  for (const card of cards) numbers.set(String(card[name]), (numbers.get(String(card[name])) || 0) + 1);
  select.append(new Option("all", ""));
  for (const value of values.sort()) select.append(new Option(`${label(value)} (${numbers.get(value)})`, value));
}

function setUpGallery() {
  const data = embedded("gallery-data");
  if (!data) return;
  const form = byId("filters"), list = byId("cards"), more = byId("more"), count = byId("count");
  const same = (value) => value;
  fillSelect(form, "run", data.cards, (value) => data.runs[value]);
  fillSelect(form, "task", data.cards, same);
  fillSelect(form, "kind", data.cards, same);
  fillSelect(form, "orderClass", data.cards, same);
  fillSelect(form, "outcome", data.cards, (value) => OUTCOMES[value]);
  const searched = new Map(); // a card's text, made when it is first searched
  let found = [], shown = 0;

  function fits(card) {
    for (const name of ["run", "task", "kind", "orderClass", "outcome"]) {
      const wanted = form.elements[name].value;
      if (wanted && String(card[name]) !== wanted) return false;
    }
    if (form.elements.steady.checked && !card.steady) return false;
    const text = form.elements.text.value.trim().toLowerCase();
    if (!text) return true;
    if (!searched.has(card)) searched.set(card, searchText(card));
    return searched.get(card).includes(text);
  }

  function showMore() {
    const next = found.slice(shown, shown + CARDS_AT_A_TIME);
    list.append(...next.map((card) => cardView(card, data)));
    shown += next.length;
    more.hidden = shown >= found.length;
    count.textContent = `${shown} of ${found.length} shown`;
  }

  function filter() {
    found = data.cards.filter(fits);
    shown = 0;
    list.replaceChildren();
    showMore();
  }

  form.addEventListener("input", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  more.addEventListener("click", showMore);
  form.hidden = false;
  filter();
}

setUpTheme();
setUpFiles();
setUpGallery();
