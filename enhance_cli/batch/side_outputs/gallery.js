"use strict";
const main = document.querySelector("main"), root = document.documentElement;
const byId = (id) => document.getElementById(id);
document.querySelectorAll("[hidden]#controls").forEach((one) => { one.hidden = false; });

// A folder or scene whose photos came in several parts is shown in one.
const sections = new Map();
for (const section of [...main.querySelectorAll("section")]) {
  const key = section.dataset.key, first = sections.get(key);
  if (first) {
    first.querySelector(".photos").append(...section.querySelector(".photos").children);
    section.remove();
  } else sections.set(key, section);
}
const figures = [...main.querySelectorAll("figure")];
byId("count").textContent = `${figures.length} photo${figures.length === 1 ? "" : "s"}`;

// Full rows of any number of columns up to six; what is far from the window costs nothing.
const CHUNK = 60, CARD = 446;
const columns = Math.max(1, Math.floor((main.clientWidth - 16) / CARD));
const rowHeight = Math.min(main.clientWidth, CARD) / 1.5 + 60;
for (const photos of main.querySelectorAll(".photos")) {
  const own = [...photos.children];
  for (let start = 0; start < own.length; start += CHUNK) {
    const chunk = start ? photos.cloneNode(false) : photos, part = own.slice(start, start + CHUNK);
    const height = Math.ceil(part.length / columns) * rowHeight;
    chunk.style.containIntrinsicHeight = `auto ${Math.round(height)}px`;
    if (start) {
      chunk.append(...part);
      photos.parentElement.append(chunk);
    }
  }
}

// Pictures are decoded near the window, and let go far from it.
const source = (image) => `data:image/webp;base64,${image.dataset.picture}`;
const decode = (figure, isNear) => {
  for (const image of figure.querySelectorAll("img")) {
    if (isNear) image.src = source(image);
    else image.removeAttribute("src");
  }
};
const MARGIN = { rootMargin: "100% 0%" };
const near = new IntersectionObserver((changes) => {
  for (const { target, isIntersecting } of changes) decode(target, isIntersecting);
}, MARGIN);
const nearChunks = new IntersectionObserver((changes) => {
  for (const { target, isIntersecting } of changes) {
    for (const figure of target.children) {
      if (isIntersecting) near.observe(figure);
      else {
        near.unobserve(figure);
        decode(figure, false);
      }
    }
  }
}, MARGIN);
for (const chunk of main.querySelectorAll(".photos")) nearChunks.observe(chunk);

// The line: its place, from the left, is 100 less the value of its slider, the share of "after".
const moveAll = (at) => {
  root.style.setProperty("--n", at);
  byId("all").value = 100 - at;
  for (const slider of main.querySelectorAll("input")) {
    slider.value = 100 - at;
    slider.parentElement.style.removeProperty("--n");
  }
};
main.addEventListener("input", ({ target }) => {
  target.parentElement.style.setProperty("--n", 100 - target.value);
});
byId("all").addEventListener("input", ({ target }) => moveAll(100 - target.value));
byId("controls").addEventListener("click", ({ target }) => {
  if (target.dataset.at) moveAll(Number(target.dataset.at));
});

// The large view.
const large = byId("large"), stage = byId("stage"), line = byId("line");
const [before, after] = stage.querySelectorAll("img");
const afterLayer = stage.querySelector(".layer.after");
const seen = { index: 0, ratio: 1, scale: 1, x: 0, y: 0, at: 50 };
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

function fitted() {
  const { clientWidth: width, clientHeight: height } = stage;
  const wide = Math.min(width, height * seen.ratio);
  return { width, height, wide, tall: wide / seen.ratio };
}

function draw() {
  const { width, height, wide, tall } = fitted();
  const w = wide * seen.scale, h = tall * seen.scale;
  const roomX = Math.max(0, (w - width) / 2), roomY = Math.max(0, (h - height) / 2);
  seen.x = clamp(seen.x, -roomX, roomX);
  seen.y = clamp(seen.y, -roomY, roomY);
  const left = (width - w) / 2 + seen.x, top = (height - h) / 2 + seen.y;
  for (const image of [before, after]) {
    image.style.width = `${w}px`;
    image.style.height = `${h}px`;
    image.style.transform = `translate(${left}px, ${top}px)`;
  }
  const from = Math.max(0, left), to = Math.min(width, left + w);
  seen.from = from; seen.to = to;
  const x = from + (to - from) * seen.at / 100;
  const under = Math.max(0, top), over = Math.min(height, top + h);
  Object.assign(line.style, { left: `${x}px`, top: `${under}px`, height: `${over - under}px` });
  for (const tag of stage.querySelectorAll(".tag")) {
    tag.style.top = `${under + 8}px`;
    if (tag.matches(".after")) tag.style.right = `${width - to + 8}px`;
    else tag.style.left = `${from + 8}px`;
  }
  afterLayer.style.clipPath = `inset(0 0 0 ${x}px)`;
  stage.style.setProperty("--n", seen.at);
  stage.classList.toggle("zoomed", seen.scale > 1);
}

function zoom(factor, x, y) {
  const { width, height } = fitted(), old = seen.scale;
  seen.scale = clamp(old * factor, 1, 12);
  const change = seen.scale / old;
  const dx = (x ?? width / 2) - width / 2, dy = (y ?? height / 2) - height / 2;
  seen.x = dx + (seen.x - dx) * change;
  seen.y = dy + (seen.y - dy) * change;
  draw();
}

// The result beside the page is sharper than the picture in it, if it was sent along.
function sharpen(link, index) {
  const full = byId("full"), result = new Image();
  full.hidden = true;
  full.href = link.href;
  if (!/\.(jpe?g|png|webp|avif)$/i.test(new URL(link.href).pathname)) {
    full.hidden = false;
    return;
  }
  result.onload = () => {
    if (!large.open || seen.index !== index) return;
    full.hidden = false;
    if (result.naturalWidth <= after.naturalWidth * 1.1) return;
    const look = byId("note").textContent, sizes = "After: full size. Before: a smaller copy.";
    byId("note").textContent = look ? `${look}. ${sizes}` : sizes;
    after.src = result.src;
  };
  result.src = link.href;
}

function show(index) {
  seen.index = (index + figures.length) % figures.length;
  const figure = figures[seen.index], link = figure.querySelector("a");
  const [small, result] = figure.querySelectorAll("img");
  const pair = figure.querySelector(".pair");
  const [w, h] = getComputedStyle(pair).getPropertyValue("--ratio").split("/").map(Number);
  Object.assign(seen, { ratio: w / h, scale: 1, x: 0, y: 0,
    at: 100 - figure.querySelector("input").value });
  before.src = source(small);
  after.src = source(result);
  before.alt = small.alt;
  after.alt = result.alt;
  byId("name").textContent = `${link.textContent} (${seen.index + 1} of ${figures.length})`;
  byId("note").textContent = figure.querySelector("small")?.textContent ?? "";
  draw();
  sharpen(link, seen.index);
}

function open(figure) {
  large.showModal();
  show(figures.indexOf(figure));
  stage.focus();
}

main.addEventListener("click", (event) => {
  const chosen = event.target.closest("figure button, figcaption a");
  if (!chosen || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  open(chosen.closest("figure"));
});
main.addEventListener("dblclick", ({ target }) => {
  if (target.matches(".pair input")) open(target.closest("figure"));
});
large.addEventListener("close", () => {
  const figure = figures[seen.index];
  before.removeAttribute("src");
  after.removeAttribute("src");
  figure.scrollIntoView({ block: "nearest" });
  figure.querySelector("button").focus({ preventScroll: true });
});
byId("close").addEventListener("click", () => large.close());
byId("previous").addEventListener("click", () => show(seen.index - 1));
byId("next").addEventListener("click", () => show(seen.index + 1));
byId("in").addEventListener("click", () => zoom(1.6));
byId("out").addEventListener("click", () => zoom(1 / 1.6));
addEventListener("resize", () => large.open && draw());

const KEYS = {
  ArrowLeft: () => show(seen.index - 1), ArrowRight: () => show(seen.index + 1),
  "+": () => zoom(1.6), "=": () => zoom(1.6), "-": () => zoom(1 / 1.6),
  0: () => zoom(0), b: () => { seen.at = seen.at === 100 ? 0 : 100; draw(); },
  ",": () => { seen.at = clamp(seen.at - 2, 0, 100); draw(); },
  ".": () => { seen.at = clamp(seen.at + 2, 0, 100); draw(); },
};
large.addEventListener("keydown", (event) => {
  const act = KEYS[event.key];
  if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  act();
});

// One finger or the mouse moves the line, or the picture if it is enlarged; two fingers enlarge.
const fingers = new Map();
let grip = false;
const place = (event) => {
  const box = stage.getBoundingClientRect();
  return { x: event.clientX - box.left, y: event.clientY - box.top };
};
const moveLine = ({ x }) => {
  seen.at = clamp(100 * (x - seen.from) / (seen.to - seen.from), 0, 100);
  draw();
};
stage.addEventListener("pointerdown", (event) => {
  stage.setPointerCapture(event.pointerId);
  fingers.set(event.pointerId, place(event));
  grip = fingers.size === 1 && (event.target === line || seen.scale === 1);
  if (grip && event.target !== line) moveLine(place(event));
});
stage.addEventListener("pointermove", (event) => {
  const old = fingers.get(event.pointerId), now = place(event);
  if (!old) return;
  fingers.set(event.pointerId, now);
  const other = [...fingers].find(([id]) => id !== event.pointerId)?.[1];
  if (other) {
    const apart = (one) => Math.hypot(one.x - other.x, one.y - other.y) || 1;
    seen.x += (now.x - old.x) / 2;
    seen.y += (now.y - old.y) / 2;
    zoom(apart(now) / apart(old), (now.x + other.x) / 2, (now.y + other.y) / 2);
  } else if (grip) moveLine(now);
  else {
    seen.x += now.x - old.x;
    seen.y += now.y - old.y;
    draw();
  }
});
for (const end of ["pointerup", "pointercancel"]) {
  stage.addEventListener(end, (event) => { fingers.delete(event.pointerId); grip = false; });
}
stage.addEventListener("wheel", (event) => {
  event.preventDefault();
  const { x, y } = place(event);
  zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.002)), x, y);
}, { passive: false });
stage.addEventListener("dblclick", (event) => {
  const { x, y } = place(event);
  zoom(seen.scale > 1 ? 0 : 2.5, x, y);
});
