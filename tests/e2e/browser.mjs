// The browser of the tests: the machine's Chromium, Debian's package where we
// may install it, else Playwright's download.
import { chromium } from 'playwright-core'
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'

const places = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome', '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome']

export function executable() {
  const own = process.env.CHROMIUM ?? places.find((p) => existsSync(p))
  if (own) return own
  const downloaded = chromium.executablePath()
  return existsSync(downloaded) ? downloaded : null
}

function install() {
  if (executable()) return true
  if (process.getuid?.() === 0 && existsSync('/usr/bin/apt-get')) {
    console.log('Installing Chromium…')
    const quiet = { stdio: ['ignore', 'ignore', 'inherit'] }
    spawnSync('apt-get', ['update', '-qq'], quiet)
    spawnSync('apt-get', ['install', '-y', '-qq', 'chromium'], quiet)
  }
  if (!executable()) execFileSync('npx', ['playwright-core', 'install', 'chromium'], { stdio: 'inherit', cwd: new URL('.', import.meta.url).pathname })
  return executable() !== null
}

// launch starts a browser with a new empty profile and fake devices: a green
// picture with a moving pie, and a beep each second.
export async function launch() {
  return chromium.launch({
    executablePath: executable(),
    headless: true,
    args: [
      '--headless=new', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync', '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream',
      '--autoplay-policy=no-user-gesture-required',
    ],
  })
}

if (process.argv.includes('--install')) {
  if (!install()) {
    console.error('No browser: install Chromium, or name one with CHROMIUM=/path.')
    process.exit(1)
  }
  console.log(`browser: ${executable()}`)
}
