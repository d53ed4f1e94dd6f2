// The demo's page: shows the state of the world as it changes, and passes on what is pressed.

const $ = (id) => document.getElementById(id);
const spotify = document.body.dataset.spotify;
const chat = $("chat");
const status = $("status");
const cards = new Map();
let statusTimer = null;

const MOODS = {
  works: "What members save is in their libraries at once.",
  down: "Calls to Spotify fail. What is saved now is queued.",
  later: "Spotify asks to wait for 5 minutes. What is saved now is queued.",
  limit: "The app has used up its calls for today. What is saved now is queued until the limit ends: move the clock a day ahead.",
};
const PASSING = { hour: "An hour passes…", day: "A day passes…", week: "A week passes…", step: "Time passes…" };

function tell(text) {
  status.textContent = text;
  clearTimeout(statusTimer);
  statusTimer = setTimeout(() => { status.textContent = ""; }, 6000);
}

async function post(path, fields) {
  try {
    const answer = await fetch(`/demo/${path}`, {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(fields),
    });
    if (answer.ok) return await answer.json();
    tell(`That did not work: ${await answer.text()}`);
  } catch {
    tell("The demo does not answer. Is it still running?");
  }
  return null;
}

function node(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "class") element.className = value;
    else if (value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

// ---------------------------------------------------------------- who acts in the chat

function beMember(id, tries = 50) {
  const picker = chat.contentDocument?.getElementById("viewer-picker");
  if (!picker || ![...picker.options].some((option) => option.value === id)) {
    if (tries) setTimeout(() => beMember(id, tries - 1), 100);
    return;
  }
  if (picker.value === id) return;
  picker.value = id;
  picker.dispatchEvent(new Event("change"));
}

function chosenMember() {
  return document.querySelector("#who input:checked")?.value;
}

function drawWho(members) {
  const before = sessionStorage.getItem("who");
  const chosen = members.some((member) => member.id === before) ? before : members[0].id;
  $("who").replaceChildren(...members.map((member) => {
    const input = node("input", { type: "radio", name: "who", value: member.id });
    input.checked = member.id === chosen;
    input.addEventListener("change", () => { sessionStorage.setItem("who", member.id); beMember(member.id); });
    return node("label", {}, input, node("img", { src: face(member.name), alt: "", width: 36, height: 36 }), member.name);
  }));
}

const face = (name) => `/demo/face/${name.toLowerCase()}.png`;

chat.addEventListener("load", () => { if (chosenMember()) beMember(chosenMember()); });

// ---------------------------------------------------------------- members

function toggle(text, changed) {
  const input = node("input", { type: "checkbox" });
  input.addEventListener("change", () => changed(input.checked));
  return { input, label: node("label", {}, input, text) };
}

function makeCard(member) {
  const listed = toggle("on the list of the Spotify app", (on) => post("listed", { account: member.accountId, on }));
  const messages = toggle("takes direct messages", (on) => post("messages", { member: member.id, on }));
  const card = {
    id: member.id,
    state: node("p", { class: "state" }),
    shelf: node("ul", { class: "shelf" }),
    empty: node("p", { class: "shelf-empty" }, "No saved albums yet."),
    more: node("a", { class: "more", href: `${spotify}/library`, target: "_blank", rel: "noopener" }),
    listed: listed.input,
    takes: messages.input,
    inbox: node("details", {}),
    count: node("span", { class: "count" }),
    albums: null,
    drawn: "",
  };
  card.list = node("div", {});
  card.inbox.append(node("summary", {}, "Direct messages", card.count), card.list);
  card.element = node("article", { class: "member" },
    node("header", {},
      node("img", { src: face(member.name), alt: "", width: 48, height: 48 }),
      node("h3", {}, member.name, ...(member.curates ? [node("small", {}, "curates")] : [])),
      card.state),
    card.shelf, card.empty, card.more,
    node("div", { class: "toggles", role: "group", "aria-label": member.name }, listed.label, messages.label),
    card.inbox);
  return card;
}

function drawShelf(card, member) {
  const ids = member.albums.map((album) => album.id).join(" ");
  if (ids === card.shelf.dataset.ids) return;
  card.shelf.dataset.ids = ids;
  const known = card.albums;
  card.shelf.replaceChildren(...member.albums.map((album) => {
    const name = `${album.title} by ${album.by} (${album.year})`;
    const cover = node("img", { src: `/demo/cover/${album.cover}.png`, alt: `Cover of ${name}`, width: 300, height: 300 });
    const item = node("li", {}, node("a", { href: `${spotify}/album/${album.id}`, target: "_blank", rel: "noopener", title: name }, cover));
    if (known && !known.has(album.id)) {
      item.classList.add("is-new");
      setTimeout(() => item.classList.remove("is-new"), 4000);
    }
    return item;
  }));
  card.albums = new Set(member.albums.map((album) => album.id));
}

function drawMember(member) {
  let card = cards.get(member.id);
  if (!card) {
    card = makeCard(member);
    cards.set(member.id, card);
    $("members").append(card.element);
  }
  const albums = member.count === 1 ? "1 saved album" : `${member.count} saved albums`;
  const link = member.broken ? `Must link ${member.account} again` : member.linked ? `Linked as ${member.account}` : "Not linked";
  card.state.textContent = `${link} · ${albums}`;
  card.state.classList.toggle("is-linked", member.linked && !member.broken);
  card.listed.checked = member.listed;
  card.takes.checked = member.takesMessages;
  card.shelf.hidden = member.count === 0;
  card.empty.hidden = member.count !== 0;
  card.more.hidden = member.count <= member.albums.length;
  card.more.textContent = `All ${member.count} albums`;
  drawShelf(card, member);
  const drawn = JSON.stringify(member.messages);
  if (drawn === card.drawn) return;
  // On a phone, the chat hides the messages; and nobody hears them arrive.
  const newest = BigInt(member.messages[0]?.id ?? 0);
  if (card.drawn && newest > card.newest) tell(`${member.name} has a new direct message.`);
  card.newest = newest;
  card.drawn = drawn;
  card.count.textContent = member.messages.length;
  card.inbox.hidden = member.messages.length === 0;
  drawMessages(card.list, member.messages, (message, button) => post("press", { member: member.id, message: message.id, customId: button.customId }));
}

// ---------------------------------------------------------------- messages outside the channel

function drawMessages(place, messages, press) {
  place.replaceChildren(...messages.map((message) => {
    const buttons = message.buttons.filter((button) => button.url || press).map((button) => {
      if (button.url) return node("a", { href: here(button.url), target: "_blank", rel: "noopener" }, button.label);
      const control = node("button", { type: "button" }, button.label);
      control.addEventListener("click", async () => {
        control.disabled = true;
        await press(message, button);
        control.disabled = false;
      });
      return control;
    });
    return node("div", { class: "message" },
      node("p", { class: "meta" }, `${message.by}, ${message.at}`),
      ...message.lines.map((line) => node("p", {}, line)),
      ...(buttons.length ? [node("div", { class: "buttons" }, ...buttons)] : []));
  }));
}

const here = (url) => url.replace(/^https:\/\/open\.spotify\.com/, spotify);

function makeForm(thread) {
  const input = node("input", { type: "text", "aria-label": `Message in the thread ${thread.name}`, placeholder: "Write as the chosen member", maxlength: 2000, autocomplete: "off" });
  const form = node("form", { class: "write" }, input, node("button", { type: "submit" }, "Send"));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (input.value.trim() && await post("write", { member: chosenMember(), thread: thread.id, text: input.value.trim() })) input.value = "";
  });
  return form;
}

const threadCards = new Map();
function drawThreads(threads) {
  $("threads-part").hidden = threads.length === 0;
  for (const thread of threads) {
    let card = threadCards.get(thread.id);
    if (!card) {
      card = { list: node("div", {}), drawn: "" };
      threadCards.set(thread.id, card);
      $("threads").prepend(node("article", { class: "thread" }, node("h3", {}, thread.name), card.list, makeForm(thread)));
    }
    const drawn = JSON.stringify(thread.messages);
    if (drawn === card.drawn) continue;
    card.drawn = drawn;
    drawMessages(card.list, [...thread.messages].reverse(), null);
    if (!thread.messages.length) card.list.append(node("p", { class: "shelf-empty" }, "Nobody has written here yet."));
  }
}

// ---------------------------------------------------------------- the world

for (const input of document.querySelectorAll("input[name=mood]")) {
  input.addEventListener("change", () => post("mood", { mood: input.value }));
}
for (const button of document.querySelectorAll("[data-step]")) {
  button.addEventListener("click", async () => {
    tell(PASSING[button.dataset.step]);
    const moved = await post("clock", { by: button.dataset.step });
    if (moved) tell(`It is now ${moved.clock}.`);
  });
}
for (const button of document.querySelectorAll("[data-to]")) {
  button.addEventListener("click", () => {
    document.body.dataset.view = button.dataset.to;
    for (const other of document.querySelectorAll("[data-to]")) other.setAttribute("aria-pressed", String(other === button));
  });
}

let run = null;
function draw(state) {
  if (run && run !== state.run) { window.location.reload(); return; }  // the demo was restarted
  run = state.run;
  if (!cards.size) { drawWho(state.members); beMember(chosenMember()); }
  const clock = $("clock");
  clock.textContent = state.passing ? PASSING[state.passing] : state.clock;
  clock.classList.toggle("moving", Boolean(state.passing));
  for (const button of document.querySelectorAll("[data-step]")) button.disabled = Boolean(state.passing);
  const mood = document.querySelector(`input[name=mood][value=${state.mood}]`);
  mood.checked = true;
  $("mood-hint").textContent = MOODS[state.mood];
  state.members.forEach(drawMember);
  drawThreads(state.threads);
  document.body.dataset.ready = "true";
}

const events = new EventSource("/demo/events");
events.addEventListener("message", (event) => draw(JSON.parse(event.data)));
events.addEventListener("error", () => tell("The demo does not answer. Is it still running?"));
window.addEventListener("message", (event) => {
  if (event.origin === window.location.origin && typeof event.data?.status === "string") tell(event.data.status);
});
