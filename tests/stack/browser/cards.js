// Draws Adaptive Cards with Microsoft's renderer and measures what a reader would see of each.
// Called with {cards: [{name, card}], configs: {theme: hostConfig}, widths}; answers one entry for each card, theme and width.
function measureCards({ cards, configs, widths }) {
  const { AdaptiveCard, HostConfig, SerializationContext } = window.AdaptiveCards;
  AdaptiveCard.onProcessMarkdown = (text, result) => {
    const shown = document.createElement("p");
    shown.textContent = text.replaceAll("**", "").replace(/\\([!-/:-@[-`{-~])/g, "$1");
    result.outputHtml = shown.outerHTML.replace("<p>", '<p style="margin:0">');
    result.didProcess = true;
  };

  const channels = (color) => (color.match(/[\d.]+/g) || []).map(Number);
  const over = (top, below) => {
    const alpha = top[3] === undefined ? 1 : top[3];
    return [0, 1, 2].map((index) => top[index] * alpha + below[index] * (1 - alpha));
  };
  const luminance = (color) =>
    [0.2126, 0.7152, 0.0722].reduce((sum, weight, index) => {
      const part = color[index] / 255;
      return sum + weight * (part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    }, 0);
  const background = (element) => {
    const layers = [];
    for (let each = element; each; each = each.parentElement) {
      layers.push(channels(getComputedStyle(each).backgroundColor));
    }
    return layers.reverse().reduce((below, top) => (top.length ? over(top, below) : below), [255, 255, 255]);
  };
  const contrast = (element) => {
    const behind = background(element);
    const [high, low] = [luminance(over(channels(getComputedStyle(element).color), behind)), luminance(behind)].sort(
      (one, other) => other - one,
    );
    return (high + 0.05) / (low + 0.05);
  };

  return cards.flatMap(({ name, card }) =>
    Object.entries(configs).flatMap(([theme, config]) =>
      widths.map((width) => {
        const context = new SerializationContext();
        const drawn = new AdaptiveCard();
        drawn.hostConfig = new HostConfig(config);
        drawn.parse(card, context);
        const frame = document.createElement("div");
        frame.style.cssText = `width:${width}px;overflow:visible;background:${config.containerStyles.default.backgroundColor.replace(/^#ff/i, "#")}`;
        frame.append(drawn.render());
        document.body.append(frame);
        const right = frame.getBoundingClientRect().right + 0.5;
        const texts = [...frame.querySelectorAll("p")];
        const wide = [...frame.querySelectorAll("*")].filter((each) => each.getBoundingClientRect().right > right);
        const cut = texts.filter((each) => each.scrollWidth > each.clientWidth + 1);
        const lines = texts.reduce((sum, each) => {
          const range = document.createRange();
          range.selectNodeContents(each);
          return sum + new Set([...range.getClientRects()].map((box) => Math.round(box.bottom))).size;
        }, 0);
        const measured = {
          name,
          theme,
          width,
          lines,
          warnings: Array.from({ length: context.eventCount }, (_, index) => context.getEventAt(index).message),
          wide: [...wide, ...cut].map((each) => each.textContent.slice(0, 80)),
          contrast: Math.min(...texts.map(contrast)),
        };
        frame.remove();
        return measured;
      }),
    ),
  );
}
