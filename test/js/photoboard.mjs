// Uses the photo-board in Chromium: node photoboard.mjs PAGE-URL PICTURE SCREENSHOT signup|signin
import { chromium } from "playwright-core";

const [url, picture, screenshot, action] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
const page = await browser.newPage({ viewport: { width: 1100, height: 800 } });
page.setDefaultTimeout(20_000);
const problems = [];
page.on("pageerror", (e) => problems.push(`page error: ${e.message}`));
page.on("console", (m) => { if (m.type() === "error") problems.push(`console: ${m.text()} ${m.location().url}`); });

try {
  await page.goto(url);
  await page.getByLabel("Name").fill("ann");
  await page.getByLabel("Password").fill("correct horse");
  await page.getByRole("button", { name: action === "signup" ? "Sign up" : "Sign in" }).click();
  await page.getByRole("heading", { name: "Boards", exact: true }).waitFor();
  if (action === "signup") {
    await page.getByLabel("Title of a new board").fill("Summer by the lake");
    await page.getByRole("button", { name: "Create" }).click();
    await page.getByRole("heading", { name: "Summer by the lake" }).waitFor();
    await page.locator("#files").setInputFiles(picture);
  } else {
    await page.getByRole("link", { name: "Summer by the lake" }).click();
  }
  const copy = page.locator("#pictures img");
  await copy.waitFor();
  await page.waitForFunction(() => document.querySelector("#pictures img")?.naturalWidth > 0);
  const size = await copy.evaluate((i) => ({ copy: i.naturalWidth, shown: i.width, alt: i.alt }));
  if (size.copy !== 360) throw new Error(`the copy is ${size.copy} pixels wide, not 360`);
  await page.screenshot({ path: screenshot });
  if (problems.length > 0) throw new Error(problems.join("\n"));
  console.log(JSON.stringify(size));
} catch (e) {
  await page.screenshot({ path: screenshot.replace(".png", "-failed.png") }).catch(() => {});
  console.error(e.message, problems.join("\n"));
  process.exitCode = 1;
} finally {
  await browser.close();
}
