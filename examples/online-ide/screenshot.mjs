// Takes the README's picture of a server that runs: node examples/online-ide/screenshot.mjs http://localhost:8080
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'

const browser = await chromium.launch({
  executablePath: process.env.WARMCELL_CHROMIUM || '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
})
const page = await browser.newPage({ colorScheme: 'dark', viewport: { width: 1360, height: 800 }, deviceScaleFactor: 1.6 })
await page.goto(process.argv[2])

const prompt = page.locator('#terminals .holder:not([hidden]) .xterm-rows', { hasText: '$' })
await prompt.waitFor()
await page.locator('#tree [data-path="public/cgi-bin"]').click()
await page.locator('#tree [data-path="public/style.css"]').click()
await page.locator('#tree [data-path="public/index.html"]').click()
await page.locator('#run').click()
const preview = page.frameLocator('#preview iframe')
await preview.locator('dd').first().waitFor()

await page.locator('#terminal-tabs .tab').first().click()
const shows = (text) => page.locator('.xterm-rows', { hasText: text }).waitFor()
await page.keyboard.type('clear; ls -p public\n')
await shows('style.css')
await page.waitForTimeout(1_000)
await page.keyboard.type('ps -o pid,user,args\n')
await shows('httpd')
// Once around the figures in the status bar.
await page.waitForTimeout(5_000)
await page.screenshot({ path: fileURLToPath(new URL('screenshot.png', import.meta.url)) })
await browser.close()
