// Runs inside SimCord's chat page: keeps links in the demo, follows new answers, and adds each message's Apps menu.

const spotify = window.parent.document.body.dataset.spotify;
const timeline = document.getElementById("channel-timeline");
const list = document.getElementById("channel-message-list");
const newMessages = document.getElementById("new-messages");
const COMMANDS = ["Save albums", "Add to crate", "Share as card", "Remove card"];
const NEAR = 80;
const ACTED_MS = 15000;
const MOVED_MS = 1000;
const OPEN_MS = 10000;
const SCROLLING_KEYS = new Set(["PageUp", "PageDown", "Home", "End", "ArrowUp", "ArrowDown", " ", "Tab"]);

// ---------------------------------------------------------------- links

function keepHere(root) {
  for (const link of root.querySelectorAll?.('a[href^="https://open.spotify.com"]') ?? []) {
    link.href = link.href.replace("https://open.spotify.com", spotify);
  }
}

// ---------------------------------------------------------------- following

let follows = true;
let ownAnswer = false;
let actedAt = -Infinity;
let movedAt = -Infinity;
let lastTop = 0;
for (const kind of ["pointerdown", "keydown"]) document.addEventListener(kind, () => { actedAt = performance.now(); }, true);
// What a person scrolls with: keys, and the scroll bar. Writing in the composer and pressing a button do not scroll.
function mayScroll(event) {
  if (event.type === "keydown") return SCROLLING_KEYS.has(event.key) && !event.target.closest("input, textarea, [contenteditable]");
  return event.type !== "pointerdown" || event.target === timeline;
}
for (const kind of ["pointerdown", "keydown", "wheel", "touchmove"]) {
  document.addEventListener(kind, (event) => { if (mayScroll(event)) movedAt = performance.now(); }, { capture: true, passive: true });
}
function readsOlder() {
  follows = false;
  ownAnswer = false;
}
// At the wheel, not at the scrolling that comes of it: in between, the chat could go to its end once more.
timeline.addEventListener("wheel", (event) => {
  if (event.deltaY < 0 && timeline.scrollTop > 0) readsOlder();
}, { passive: true });
timeline.addEventListener("scroll", () => {
  // Only a person stops following: what grows moves the end away, and SimCord scrolls by itself, too.
  if (timeline.scrollHeight - timeline.scrollTop - timeline.clientHeight < NEAR) follows = true;
  else if (timeline.scrollTop < lastTop && performance.now() - movedAt < MOVED_MS) readsOlder();
  lastTop = timeline.scrollTop;
}, { passive: true });

// Links to messages lead to them here. Discord knows nothing of this chat.
document.addEventListener("click", (event) => {
  const link = event.target.closest('a[href^="https://discord.com/channels/"]');
  if (!link) return;
  event.preventDefault();
  const message = list.querySelector(`[data-message-id="${CSS.escape(link.href.split("/").at(-1))}"]`);
  if (message) {
    readsOlder();
    message.scrollIntoView({ block: "center" });
  } else window.parent.postMessage({ status: "That message is not in this chat." }, window.location.origin);
}, true);

function toEnd() {
  if (!follows && !ownAnswer) return;
  if (!newMessages.hidden) newMessages.click();
  timeline.scrollTop = timeline.scrollHeight;
}
// A chat that is opened begins at its end. Until it is ready, SimCord keeps its first message in sight.
const opening = setInterval(() => {
  if (!follows || performance.now() > OPEN_MS) clearInterval(opening);
  else toEnd();
}, 200);
new ResizeObserver(toEnd).observe(list);

// ---------------------------------------------------------------- the Apps menu

let menu = null;
function closeMenu(refocus) {
  if (!menu) return;
  const { opener, element } = menu;
  menu = null;
  element.remove();
  opener.setAttribute("aria-expanded", "false");
  if (refocus) opener.focus();
}

async function run(command, messageId) {
  const member = document.getElementById("viewer-picker").value;
  const answer = await fetch("/demo/apps", {
    method: "POST", headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ member, command, message: messageId }),
  });
  if (!answer.ok) window.parent.postMessage({ status: `That did not work: ${await answer.text()}` }, window.location.origin);
}

function openMenu(opener, article) {
  closeMenu(false);
  const element = document.createElement("div");
  element.className = "apps-menu";
  element.setAttribute("role", "menu");
  element.setAttribute("aria-label", "Apps");
  for (const command of COMMANDS) {
    const item = document.createElement("button");
    item.type = "button";
    item.setAttribute("role", "menuitem");
    item.textContent = command;
    item.addEventListener("click", () => { closeMenu(true); void run(command, article.dataset.messageId); });
    element.append(item);
  }
  element.addEventListener("keydown", (event) => {
    const items = [...element.children];
    const at = items.indexOf(document.activeElement);
    if (event.key === "Escape") { closeMenu(true); event.stopPropagation(); }
    if (event.key === "ArrowDown") { items[(at + 1) % items.length].focus(); event.preventDefault(); }
    if (event.key === "ArrowUp") { items[(at + items.length - 1) % items.length].focus(); event.preventDefault(); }
  });
  article.append(element);
  opener.setAttribute("aria-expanded", "true");
  menu = { opener, element };
  element.firstChild.focus();
  element.scrollIntoView({ block: "nearest" });
}
document.addEventListener("pointerdown", (event) => {
  if (menu && !menu.element.contains(event.target) && event.target !== menu.opener) closeMenu(false);
});

function addApps(article) {
  if (article.querySelector(".apps-open")) return;
  const tools = article.querySelector(":scope > .message-context-actions");
  const opener = document.createElement("button");
  opener.type = "button";
  opener.className = tools ? "apps-open message-action-button" : "apps-open alone";
  opener.textContent = "Apps";
  opener.setAttribute("aria-haspopup", "menu");
  opener.setAttribute("aria-expanded", "false");
  opener.addEventListener("click", () => (menu?.opener === opener ? closeMenu(true) : openMenu(opener, article)));
  (tools ?? article).append(opener);
}

// ---------------------------------------------------------------- a page that was asleep for too long

let wasServed = false;
setInterval(() => {
  const isServed = Boolean(window.simcordPreview?.authorized);
  if (wasServed && !isServed) window.location.reload();
  wasServed = isServed;
}, 3000);

// ---------------------------------------------------------------- what was picked while typing

// SimCord shows the value of a choice in place of its name, and then offers choices for that value. Discord shows the name.
const offered = new Map();
function showPicked() {
  for (const item of document.querySelectorAll(".command-suggestion[data-value]")) {
    const label = item.querySelector(".command-suggestion-label");
    if (label) offered.set(item.dataset.value, label.textContent);
  }
  let isAnyPicked = false;
  for (const input of document.querySelectorAll(".command-option-input")) {
    const isPicked = /^spotify:album:\w+$/.test(input.value);
    const name = isPicked ? offered.get(input.value) : undefined;
    isAnyPicked ||= isPicked;
    input.classList.toggle("is-picked", name !== undefined);
    const shown = input.parentElement.querySelector(".picked-name");
    if (name === undefined) { shown?.remove(); continue; }
    if (shown?.textContent === name) continue;
    shown?.remove();
    const added = document.createElement("span");
    added.className = "picked-name";
    added.setAttribute("aria-hidden", "true");
    added.textContent = name;
    input.after(added);
  }
  for (const popup of document.querySelectorAll(".command-popup")) popup.classList.toggle("is-picked", isAnyPicked);
}
document.addEventListener("input", showPicked);

// ---------------------------------------------------------------- what SimCord draws

let last = 0n;
function look() {
  keepHere(document);
  showPicked();
  let newest = last;
  for (const article of list.querySelectorAll(".channel-message[data-message-id]")) {
    addApps(article);
    const id = BigInt(article.dataset.messageId);
    if (id > newest) newest = id;
  }
  const hasNew = newest > last;
  last = newest;
  ownAnswer = hasNew && performance.now() - actedAt < ACTED_MS;
  requestAnimationFrame(toEnd);
}
let looking = false;
new MutationObserver(() => {
  if (looking) return;
  looking = true;
  queueMicrotask(() => { looking = false; look(); });
}).observe(document.body, { childList: true, subtree: true });
look();
