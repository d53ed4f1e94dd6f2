// Runs inside SimCord's chat page: keeps links in the demo, follows new answers, and adds each message's Apps menu.

const spotify = window.parent.document.body.dataset.spotify;
const timeline = document.getElementById("channel-timeline");
const list = document.getElementById("channel-message-list");
const newMessages = document.getElementById("new-messages");
const COMMANDS = ["Save albums", "Add to crate", "Share as card", "Remove card"];
const NEAR = 80;
const ACTED_MS = 15000;

// ---------------------------------------------------------------- links

function keepHere(root) {
  for (const link of root.querySelectorAll?.('a[href^="https://open.spotify.com"]') ?? []) {
    link.href = link.href.replace("https://open.spotify.com", spotify);
  }
}

// ---------------------------------------------------------------- following

let follows = true;
let actedAt = -Infinity;
for (const kind of ["pointerdown", "keydown"]) document.addEventListener(kind, () => { actedAt = performance.now(); }, true);
timeline.addEventListener("scroll", () => {
  follows = timeline.scrollHeight - timeline.scrollTop - timeline.clientHeight < NEAR;
}, { passive: true });

function toEnd() {
  if (!newMessages.hidden) newMessages.click();
  timeline.scrollTop = timeline.scrollHeight;
}
let wasFollowing = true;
new ResizeObserver(() => { if (wasFollowing) toEnd(); }).observe(list);

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

// ---------------------------------------------------------------- what SimCord draws

let last = 0n;
function look() {
  keepHere(document);
  let newest = last;
  for (const article of list.querySelectorAll(".channel-message[data-message-id]")) {
    addApps(article);
    const id = BigInt(article.dataset.messageId);
    if (id > newest) newest = id;
  }
  const hasNew = newest > last;
  last = newest;
  wasFollowing = follows || (hasNew && performance.now() - actedAt < ACTED_MS);
  if (wasFollowing) requestAnimationFrame(toEnd);
}
let looking = false;
new MutationObserver(() => {
  if (looking) return;
  looking = true;
  queueMicrotask(() => { looking = false; look(); });
}).observe(document.body, { childList: true, subtree: true });
look();
