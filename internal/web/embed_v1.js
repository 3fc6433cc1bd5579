// Sets the height of each <iframe data-toksta> to that of its content, and dispatches the event
// "toksta:ended" on the frame when its session has ended. It reads nothing else from the frame.
(() => {
  const origin = (frame) => {
    try {
      return new URL(frame.src).origin;
    } catch {
      return "";
    }
  };

  // A frame sends its height to the page that has asked for it. Before the frame has loaded,
  // its document is readable from here, and no message can be delivered.
  const ask = (frame) => {
    if (origin(frame) && !frame.contentDocument) frame.contentWindow.postMessage({ embed: "hello" }, origin(frame));
  };

  addEventListener("message", (event) => {
    for (const frame of document.querySelectorAll("iframe[data-toksta]")) {
      if (event.source !== frame.contentWindow || event.origin !== origin(frame)) continue;
      const { embed, height } = event.data ?? {};
      if (embed === "height" && height > 0 && height < 50000) frame.style.height = `${height}px`;
      if (embed === "ended") frame.dispatchEvent(new CustomEvent("toksta:ended", { bubbles: true }));
    }
  });
  document.addEventListener("load", (event) => {
    if (event.target instanceof HTMLIFrameElement && event.target.matches("[data-toksta]")) ask(event.target);
  }, true);
  document.querySelectorAll("iframe[data-toksta]").forEach(ask);
})();
