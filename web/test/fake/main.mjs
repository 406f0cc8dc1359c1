// `npm run fake`: the fake gateway at 8080 with customers who text, to look at the desk by `npm run dev` or at the build.

import { start } from "./gateway.mjs";
import { busy } from "./scenes.mjs";
import { PASSWORD } from "./world.mjs";

const { url, world } = await start({ port: Number(process.env.PORT ?? 8080) });
busy(world);
const SAID = ["Hi, where can I buy your porridge?", "Do you have one without sugar?", "My box was half empty…", "Is the shop in Dover open today?"];
let count = 0;
setInterval(() => world.texts(`+1202555${String(3000 + count).slice(-4)}`, SAID[count++ % SAID.length]), 40_000);
console.log(`${url}  company three-bears, users mama-bear, baby-bear, papa-bear, tiffany (supervisor), new-bear; password ${PASSWORD}`);
