// The arena's script: suggestions, keys, and the stream of a live battle. Texts go into the page as text, never as HTML.
document.addEventListener("click", (event) => {
  const chosen = event.target.closest("button.suggestion");
  const prompt = document.getElementById("prompt");
  if (!chosen || !prompt) return;
  prompt.value = chosen.textContent;
  prompt.focus();
});

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (event.target.closest("input[type=text], textarea, select")) return;
  const button = document.querySelector(`[data-key="${CSS.escape(event.key.toLowerCase())}"]`);
  if (button && !button.disabled) {
    event.preventDefault();
    button.click();
  }
});

// A second press while the first is under way would only ask for the same vote again.
document.addEventListener("submit", (event) => {
  const form = event.target.closest("form.votebar");
  if (!form) return;
  if (form.dataset.sent) event.preventDefault();
  form.dataset.sent = "1";
});

const battle = document.getElementById("battle");
if (battle && battle.dataset.stream) follow(battle);

async function follow(root) {
  const sides = [...root.querySelectorAll("[data-side]")];
  const say = (text) => sides.forEach((side) => { const line = side.querySelector(".waiting"); if (line) line.textContent = text; });
  try {
    let answer = await fetch(root.dataset.stream, { credentials: "same-origin", cache: "no-store" });
    while (answer.status === 503) {
      say(root.dataset.busy);
      await pause(1000 * Number(answer.headers.get("Retry-After") || 10));
      answer = await fetch(root.dataset.stream, { credentials: "same-origin", cache: "no-store" });
    }
    if (!answer.ok) throw new Error(String(answer.status));
    await read(answer.body.getReader(), sides);
    await refresh();
  } catch {
    say(root.dataset.gone);
  }
}

async function read(reader, sides) {
  const decoder = new TextDecoder();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const events = (rest + decoder.decode(value, { stream: true })).split("\n\n");
    rest = events.pop();
    for (const event of events) {
      const [name, data] = event.split("\n").map((line) => line.slice(line.indexOf(":") + 2));
      if (name === "frame") JSON.parse(data).forEach((text, number) => write(sides[number], text));
    }
  }
}

function write(side, text) {
  let shown = side.querySelector("pre");
  if (!shown) {
    shown = document.createElement("pre");
    shown.className = "ko-text live-text";
    side.replaceChildren(shown);
  }
  if (text) shown.append(text);
}

// The answers laid out, and the vote bar switched on, as the server renders them.
async function refresh() {
  const page = await (await fetch(location.href, { credentials: "same-origin", cache: "no-store" })).text();
  const fresh = new DOMParser().parseFromString(page, "text/html").getElementById("battle");
  const tab = document.querySelector(".sidetabs input:checked");
  battle.replaceChildren(...fresh.childNodes);
  battle.className = fresh.className;
  delete battle.dataset.stream;
  const same = tab && document.querySelector(`.sidetabs input[value="${CSS.escape(tab.value)}"]`);
  if (same) same.checked = true;
}

function pause(milliseconds) {
  return new Promise((resolve) => { setTimeout(resolve, milliseconds); });
}
