// A color that the page chose, and what can be read on it (WCAG 2.2, 1.4.3).

/** Red, green and blue of `#rgb` or `#rrggbb`. */
function channels(color: string): number[] | undefined {
  const short = /^#([0-9a-f])([0-9a-f])([0-9a-f])$/i.exec(color);
  const long = /^#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})$/i.exec(color);
  const parts = short ? short.slice(1).map((digit) => digit + digit) : long?.slice(1);
  return parts?.map((part) => parseInt(part, 16));
}

function luminance(rgb: number[]): number {
  const [r = 0, g = 0, b = 0] = rgb.map((value) => {
    const part = value / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

/** White or near black, whichever is read better on the color; none where it is no color. */
export function readableOn(color: string): string | undefined {
  const rgb = channels(color);
  if (!rgb) return undefined;
  const bright = luminance(rgb);
  return 1.05 / (bright + 0.05) >= (bright + 0.05) / (luminance([17, 17, 17]) + 0.05) ? "#fff" : "#111";
}
