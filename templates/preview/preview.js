"use strict";
// Everything that comes from the issue is put on the page as text, never as markup. The frame that
// shows its HTML runs no script; being of the same origin only lets this page keep its place.

const $ = (id) => document.getElementById(id);
const SIZE_LARGE = 90_000; // Gmail cuts at about 102 KB

const wish = { view: "page", width: "desk", dark: false, images: true, theme: "", reader: "ada", flips: {} };
let state = null;
let problems = []; // of the version that is shown, or while they are looked for of the one before
let current = -1; // the problem that was jumped to
let asked = 0;

// --- what is wished for, kept in the address so that a reload forgets nothing

function remember() {
  history.replaceState(null, "", "#" + encodeURIComponent(JSON.stringify(wish)));
}

function recall() {
  try {
    const kept = JSON.parse(decodeURIComponent(location.hash.slice(1)));
    for (const name of Object.keys(wish)) if (typeof kept[name] === typeof wish[name]) wish[name] = kept[name];
  } catch { /* nothing kept */ }
}

function query(more = {}) {
  const parameters = new URLSearchParams({ theme: wish.theme, reader: wish.reader, ...more });
  for (const [source, holds] of Object.entries(wish.flips)) parameters.append(holds ? "on" : "off", source);
  return parameters.toString();
}

// --- small pieces

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

function press(button, pressed) {
  button.setAttribute("aria-pressed", String(pressed));
}

// --- from the server to the page

async function refresh() {
  const number = ++asked;
  let told;
  try {
    const answer = await fetch("state?" + query());
    if (!answer.ok) throw new Error(await answer.text());
    told = await answer.json();
  } catch (error) {
    showError("This can't be shown", String(error.message || error));
    return;
  }
  if (number !== asked) return; // a newer question is under way
  const looked = state && state.version === told.version && state.theme === told.theme;
  state = told;
  draw();
  if (!looked) judge();
}

// The list of problems takes longer than the page, which does not wait for it.
async function judge() {
  const { version, theme } = state;
  const answer = await fetch("problems?" + query());
  if (!answer.ok) return;
  const found = await answer.json();
  if (version !== state.version || theme !== state.theme) return;
  current = -1;
  problems = found;
  drawProblems();
  drawSource();
}

function draw() {
  document.title = `${state.file}: preview`;
  $("file").textContent = state.file;
  $("newsletter").textContent = state.newsletter;
  $("sender").textContent = state.sender;
  $("subject").textContent = state.subject;
  $("preheader").textContent = state.preheader;
  $("reader").textContent = state.reader.name;
  drawThemes();
  drawConditions();
  const size = $("size");
  size.textContent = state.html_bytes ? `${(state.html_bytes / 1000).toFixed(1)} KB of HTML` : "";
  size.classList.toggle("large", state.html_bytes > SIZE_LARGE);
  if (state.error) showError(state.subject ? "This is the last version that could be shown" : "Nothing can be shown yet", state.error);
  else $("error").hidden = true;
  drawSource();
  drawView();
}

function showError(title, words) {
  $("error-title").textContent = title;
  $("error-words").textContent = words;
  $("error").hidden = false;
}

function drawThemes() {
  const options = state.themes.map((name) => element("option", { value: name, textContent: name }));
  $("theme").replaceChildren(...options);
  $("theme").value = state.theme;
}

function drawProblems() {
  const items = problems.map((problem, index) => {
    const where = `line ${problem.line}` + (problem.rule ? ` · ${problem.rule}` : "");
    const button = element("button", { className: problem.severity, onclick: () => jump(index) },
      element("span", { className: "what", textContent: problem.message }),
      element("small", { textContent: `${where} · ${problem.remedy}` }));
    if (index === current) button.setAttribute("aria-current", "true");
    return element("li", {}, button);
  });
  if (!items.length && state.source) items.push(element("li", { className: "none", textContent: "None found." }));
  $("problems").replaceChildren(...items);
  $("count").textContent = problems.length || "";
}

function drawConditions() {
  $("about-conditions").hidden = !state.conditions.length;
  const items = state.conditions.map(({ source, holds }) => {
    const flip = wish.flips[source];
    const choices = [[undefined, holds ? "as is: yes" : "as is: no"], [true, "yes"], [false, "no"]];
    const group = element("div", { className: "group" });
    group.setAttribute("role", "group");
    group.setAttribute("aria-label", source);
    for (const [value, words] of choices) {
      const button = element("button", { textContent: words, onclick: () => { decide(source, value); } });
      press(button, flip === value);
      group.append(button);
    }
    return element("li", {}, element("code", { textContent: source }), group);
  });
  $("conditions").replaceChildren(...items);
}

function decide(source, value) {
  if (value === undefined) delete wish.flips[source];
  else wish.flips[source] = value;
  changed();
}

function drawSource() {
  const worst = {};
  for (const { line, severity } of problems) if (worst[line] !== "error") worst[line] = severity;
  const here = problems[current]?.line;
  const lines = state.source.split("\n").map((text, index) => {
    const classes = [worst[index + 1] || "", index + 1 === here ? "here" : ""];
    return element("li", { textContent: text, className: classes.join(" ").trim() });
  });
  const top = $("source").scrollTop;
  $("source").replaceChildren(...lines);
  $("source").scrollTop = top;
}

// --- the views

async function drawView() {
  for (const button of document.querySelectorAll("[data-view]")) press(button, button.dataset.view === wish.view);
  for (const button of document.querySelectorAll("[data-width]")) press(button, button.dataset.width === wish.width);
  press($("dark"), wish.dark);
  press($("images"), wish.images);
  const page = wish.view === "page";
  $("device").className = page ? wish.width : "wide";
  $("frames").hidden = !page;
  for (const each of document.querySelectorAll("iframe:not(.coming)")) likeThere(each);
  $("frames").classList.toggle("dark", wish.dark);
  $("plain").hidden = wish.view !== "text" && wish.view !== "message";
  $("source").hidden = wish.view !== "source";
  if (page) return drawFrame();
  if (wish.view === "source") return;
  const view = wish.view;
  const answer = await fetch(`${view}?${query()}`);
  const words = await answer.text();
  if (view === wish.view) $("plain").textContent = words;
}

// The next page loads behind the one that is there, and takes over where that was scrolled to.
function drawFrame() {
  const frames = $("frames");
  const address = "frame?" + query({ dark: wish.dark, images: wish.images, version: state.version });
  const shown = frames.lastElementChild;
  if (shown && shown.getAttribute("src") === address) return;
  const next = element("iframe", { title: "The issue's HTML", className: "coming" });
  next.setAttribute("sandbox", "allow-same-origin allow-popups allow-popups-to-escape-sandbox");
  next.setAttribute("src", address);
  next.addEventListener("load", () => {
    if (next !== frames.lastElementChild) return;
    const before = frames.querySelector("iframe:not(.coming)");
    if (before) next.contentWindow.scrollTo(0, before.contentWindow.scrollY);
    next.contentWindow.addEventListener("keydown", onKey);
    likeThere(next);
    next.classList.remove("coming");
    while (frames.firstElementChild !== next) frames.firstElementChild.remove();
  });
  frames.append(next);
}

// Phones have no scroll bars that take from the width.
function likeThere(frame) {
  frame.contentDocument.documentElement.style.scrollbarWidth = wish.width === "phone" ? "none" : "auto";
}

function jump(index) {
  if (!problems.length) return;
  current = (index + problems.length) % problems.length;
  wish.view = "source";
  remember();
  drawProblems();
  drawSource();
  drawView();
  $("source").querySelector(".here")?.scrollIntoView({ block: "center" });
}

// --- whom it is for

async function search() {
  const words = $("search").value;
  const samples = state.samples.filter((each) => !words || each.name.toLowerCase().includes(words.toLowerCase()));
  let real = [];
  if (words.trim() && state.searchable) {
    const answer = await fetch("readers?" + new URLSearchParams({ q: words }));
    if (words !== $("search").value) return;
    if (answer.ok) real = await answer.json();
  }
  const items = [...real, ...samples].map((each) => {
    const button = element("button", { onclick: () => choose(each.id) },
      element("span", { textContent: each.name }), element("small", { textContent: each.note }));
    if (each.id === wish.reader) button.setAttribute("aria-current", "true");
    return element("li", {}, button);
  });
  if (!items.length) items.push(element("li", { textContent: "Nobody found." }));
  $("found").replaceChildren(...items);
}

function openPeople(open) {
  $("people").hidden = !open;
  $("reader").setAttribute("aria-expanded", String(open));
  if (!open) return;
  $("search").value = "";
  $("search").placeholder = state.searchable ? "Name or address" : "Samples; there is no database here";
  $("search").focus();
  search();
}

function choose(id) {
  wish.reader = id;
  openPeople(false);
  $("reader").focus();
  changed();
}

// --- hands and keys

function changed() {
  remember();
  refresh();
}

function show(view) {
  wish.view = view;
  remember();
  drawView();
}

function width(name) {
  wish.width = name;
  show("page");
}

function toggle(name) {
  wish[name] = !wish[name];
  show("page");
}

const KEYS = {
  h: () => show("page"), t: () => show("text"), r: () => show("message"), s: () => show("source"),
  d: () => width("desk"), p: () => width("phone"), n: () => toggle("dark"), i: () => toggle("images"),
  "/": () => openPeople(true), j: () => jump(current + 1), k: () => jump(Math.max(current, 0) - 1),
  "?": () => { $("keys").open = !$("keys").open; },
};

function onKey(event) {
  if (event.key === "Escape") return openPeople(false);
  const writing = event.target.matches?.("input, select");
  if (writing || event.ctrlKey || event.metaKey || event.altKey || !state) return;
  const act = KEYS[event.key];
  if (!act) return;
  event.preventDefault();
  act();
}

for (const button of document.querySelectorAll("[data-view]")) button.onclick = () => show(button.dataset.view);
for (const button of document.querySelectorAll("[data-width]")) button.onclick = () => width(button.dataset.width);
$("dark").onclick = () => toggle("dark");
$("images").onclick = () => toggle("images");
$("theme").onchange = () => { wish.theme = $("theme").value; changed(); };
$("reader").onclick = () => openPeople($("people").hidden);
$("search").oninput = search;
document.addEventListener("keydown", onKey);
document.addEventListener("click", (event) => {
  if (!event.target.closest(".picker")) openPeople(false);
});

recall();
const events = new EventSource("events");
events.onmessage = (event) => {
  $("live").textContent = "follows each save";
  $("live").classList.remove("lost");
  if (!state || state.version !== event.data) refresh();
};
events.onerror = () => {
  $("live").textContent = "mailer issue preview has ended; start it again";
  $("live").classList.add("lost");
};
