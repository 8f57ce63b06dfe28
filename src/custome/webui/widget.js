// The assistant of a shop on any page, by one tag: <script src="http://SERVER/shop/widget.js" data-shop="NAME"></script>
// With data-open it stands there open, filling its page. Words are text, never HTML; nothing of the page is read.
(() => {
  const tag = document.currentScript, shop = tag.dataset.shop, whole = tag.dataset.open !== undefined;
  const english = (tag.dataset.lang ?? document.documentElement.lang ?? "").startsWith("en");
  const root = new URL(`${encodeURIComponent(shop)}/chats`, tag.src).href;
  const WORDS = english
    ? { title: "Ask us", say: "Write a message…", send: "Send", close: "Close", human: "A person", waiting: "A person was called; please wait", here: "You are talking to a person", rate: "How was it?", thanks: "Thank you", lost: "Not sent. Try again", hello: "Hello! Ask about prices, stock or your order.", assistant: "Assistant" }
    : { title: "问问客服", say: "想问什么…", send: "发送", close: "收起", human: "转人工", waiting: "正在转人工，请稍等", here: "人工客服在跟您说话", rate: "答得怎么样？", thanks: "谢谢您的评分", lost: "没发出去，再点一次", hello: "您好！想问价格、有没有货、订单到哪了，都可以。", assistant: "助手" };
  const host = document.createElement("div");
  document.body.append(host);
  const shadow = host.attachShadow({ mode: "open" });
  const make = (name, className, text = "") => Object.assign(document.createElement(name), { className, textContent: text });
  const style = make("style", "");
  style.textContent = `
    :host { all: initial; } * { box-sizing: border-box; font-family: system-ui, "Noto Sans CJK SC", sans-serif; }
    .bubble { position: fixed; right: 20px; bottom: 20px; z-index: 2147483000; border: 0; border-radius: 28px; padding: 14px 20px; font-size: 16px; background: #8a3a2b; color: #fff; cursor: pointer; box-shadow: 0 4px 16px #0003; }
    .panel { position: fixed; right: 20px; bottom: 20px; z-index: 2147483001; width: min(380px, calc(100vw - 24px)); height: min(600px, calc(100dvh - 40px)); background: #fffdf9; color: #26211c; border: 1px solid #e4dccf; border-radius: 16px; display: flex; flex-direction: column; overflow: hidden; box-shadow: 0 8px 32px #0003; }
    .panel.whole { position: static; width: min(720px, 100%); height: 100dvh; margin: 0 auto; border: 0; border-radius: 0; box-shadow: none; }
    [hidden] { display: none !important; }
    header { display: flex; align-items: center; gap: 8px; padding: 10px 14px; border-bottom: 1px solid #e4dccf; } header b { flex: 1; font-size: 17px; }
    button { font-size: 14px; cursor: pointer; min-height: 40px; } .quiet { background: none; border: 1px solid #d8cdbc; border-radius: 20px; padding: 0 14px; color: inherit; }
    .list { flex: 1; overflow-y: auto; padding: 14px; display: flex; flex-direction: column; gap: 10px; }
    .said { max-width: 84%; padding: 9px 14px; border-radius: 16px 16px 16px 4px; background: #f1e9dc; line-height: 1.65; white-space: pre-wrap; overflow-wrap: anywhere; align-self: flex-start; font-size: 15px; }
    .mine { align-self: flex-end; border-radius: 16px 16px 4px 16px; background: #8a3a2b; color: #fff; } .mine.lost { opacity: .6; outline: 2px dashed #8a3a2b; }
    .name { font-size: 12px; color: #766b5d; margin: 2px 6px -6px; } .state { padding: 6px 14px; font-size: 13px; color: #766b5d; background: #f8f2e8; }
    form { display: flex; gap: 8px; padding: 10px; border-top: 1px solid #e4dccf; } textarea { flex: 1; resize: none; font-size: 16px; padding: 9px 12px; border: 1px solid #d8cdbc; border-radius: 12px; height: 44px; color: inherit; background: #fff; }
    .send { border: 0; border-radius: 12px; background: #8a3a2b; color: #fff; padding: 0 18px; } .stars { display: flex; align-items: center; gap: 2px; padding: 4px 14px; font-size: 13px; color: #766b5d; } .stars button { background: none; border: 0; font-size: 22px; min-width: 40px; color: #c58a3a; }
    :focus-visible { outline: 2px solid #8a3a2b; outline-offset: 2px; }`;
  const bubble = make("button", "bubble", WORDS.title);
  const panel = make("section", whole ? "panel whole" : "panel");
  panel.setAttribute("aria-label", WORDS.title);
  const header = make("header", ""), list = make("div", "list"), state = make("div", "state"), stars = make("div", "stars", WORDS.rate);
  const human = make("button", "quiet", WORDS.human), close = make("button", "quiet", WORDS.close);
  header.append(make("b", "", shop), human, close);
  list.setAttribute("role", "log");
  list.setAttribute("aria-live", "polite");
  state.setAttribute("role", "status");
  for (let count = 1; count <= 5; count++) {
    const star = make("button", "", "☆");
    star.setAttribute("aria-label", `${count}`);
    star.onclick = () => send("rating", { stars: count }).then(() => { stars.textContent = WORDS.thanks; });
    stars.append(star);
  }
  const form = make("form", ""), box = make("textarea", ""), button = make("button", "send", WORDS.send);
  box.placeholder = WORDS.say;
  box.setAttribute("aria-label", WORDS.say);
  form.append(box, button);
  panel.append(header, state, list, stars, form);
  shadow.append(style, bubble, panel);
  panel.hidden = !whole;
  bubble.hidden = whole;
  close.hidden = whole;
  state.hidden = stars.hidden = true;

  const KEPT = `custome-shop-${root}`;
  const kept = () => { try { return JSON.parse(localStorage.getItem(KEPT) ?? "null"); } catch { return null; } };
  const keep = (value) => { try { value ? localStorage.setItem(KEPT, JSON.stringify(value)) : localStorage.removeItem(KEPT); } catch { /* this page may not */ } };
  let mine = kept(), beginning = null, seen = 0, told = 0, timer = 0, composing = false, assistant = WORDS.assistant;
  const ask = async (path, body) => {
    const answer = await fetch(root + path, body && { method: "POST", body: JSON.stringify(body), headers: { "content-type": "application/json" } });
    if (!answer.ok) throw Object.assign(new Error((await answer.json()).error?.message ?? answer.statusText), { status: answer.status });
    return answer.json();
  };
  const begin = async () => {
    if (!mine) {
      beginning ??= ask("", {}).finally(() => { beginning = null; });
      mine = await beginning;
      keep(mine);
    }
  };
  const send = async (what, body) => {
    await begin();
    return ask(`/${mine.chat}/${what}`, { customer: mine.customer, ...body });
  };
  const show = (text, className, name = "") => {
    if (name) list.append(make("div", "name", name));
    const one = make("div", `said ${className}`, text);
    list.append(one);
    list.scrollTop = list.scrollHeight;
    return one;
  };
  const pending = [];  // what this page shows already, and the server tells once more
  const look = async () => {
    clearTimeout(timer);
    if (mine && !panel.hidden) {
      try {
        const now = await ask(`/${mine.chat}?customer=${mine.customer}&after=${seen}`);
        for (const turn of now.turns) {
          if (turn.id <= seen) continue;  // another look was quicker
          seen = turn.id;
          told += 1;
          const at = turn.mine ? pending.indexOf(turn.text) : -1;
          if (at >= 0) pending.splice(at, 1);
          else show(turn.text, turn.mine ? "mine" : "theirs", turn.mine ? "" : turn.name === "助手" ? assistant : turn.name);
        }
        state.hidden = !["queued", "human"].includes(now.state);
        state.textContent = now.state === "human" ? WORDS.here : WORDS.waiting;
        human.hidden = !state.hidden;
        const before = stars.hidden;
        stars.hidden = now.state !== "closed" && (now.state !== "bot" || told < 6);
        if (before !== stars.hidden || now.turns.length) list.scrollTop = list.scrollHeight;
      } catch (error) {
        if (error.status === 400) { mine = null; seen = 0; keep(null); }
      }
    }
    timer = setTimeout(look, document.hidden ? 10000 : 2000);
  };
  const say = async (text) => {
    const one = show(text, "mine"), key = crypto.getRandomValues(new Uint32Array(4)).join("-");
    const deliver = async () => {
      one.classList.remove("lost");
      pending.push(text);
      try {
        await send("messages", { text, key });
        await look();
      } catch (error) {
        const at = pending.indexOf(text);
        if (at >= 0) pending.splice(at, 1);
        one.classList.add("lost");
        one.title = error.message || WORDS.lost;
        one.onclick = () => { one.onclick = null; deliver(); };
        show(error.status ? error.message : WORDS.lost, "theirs");
      }
    };
    await deliver();
  };
  form.onsubmit = (event) => {
    event.preventDefault();
    const text = box.value.trim();
    if (text) { box.value = ""; say(text); }
  };
  box.addEventListener("compositionstart", () => { composing = true; });
  box.addEventListener("compositionend", () => { composing = false; });
  box.onkeydown = (event) => {
    if (event.key === "Enter" && !event.shiftKey && !composing && !event.isComposing) { event.preventDefault(); form.requestSubmit(); }
  };
  human.onclick = () => say("转人工");
  bubble.onclick = () => { panel.hidden = false; bubble.hidden = true; look(); box.focus(); };
  close.onclick = () => { panel.hidden = true; bubble.hidden = false; };
  const hello = show(WORDS.hello, "theirs");
  fetch(new URL(`${encodeURIComponent(shop)}/profile`, tag.src)).then((answer) => answer.json()).then((about) => {
    hello.textContent = about.greeting || WORDS.hello;
    assistant = about.assistant || assistant;
  }).catch(() => { /* then the usual words stand */ });
  if (whole) look();
})();
