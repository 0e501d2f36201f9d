// Panes whose borders can be dragged, or moved with the arrow keys; where they stand is remembered.

const limits = { tree: [140, 480], terminal: [90, 900], preview: [240, 1_400] }
const stepPx = 24

export function resizablePanes(onResized) {
  const root = document.documentElement
  const set = (name, px) => {
    const [min, max] = limits[name]
    const size = Math.round(Math.min(Math.max(px, min), max))
    root.style.setProperty(`--${name}-size`, `${size}px`)
    localStorage.setItem(`pane-${name}`, size)
    onResized()
  }
  for (const splitter of document.querySelectorAll('.splitter')) {
    const name = splitter.dataset.resizes
    const flat = splitter.classList.contains('flat')
    // The tree lies before its border, the others behind theirs.
    const direction = name === 'tree' ? 1 : -1
    const pane = document.querySelector(`.pane.${name}`)
    const size = () => pane.getBoundingClientRect()[flat ? 'height' : 'width']
    const saved = Number(localStorage.getItem(`pane-${name}`))
    if (saved > 0) set(name, saved)
    splitter.tabIndex = 0
    splitter.addEventListener('pointerdown', (down) => {
      const before = size()
      const move = (event) => set(name, before + direction * (flat ? event.clientY - down.clientY : event.clientX - down.clientX))
      splitter.setPointerCapture(down.pointerId)
      splitter.addEventListener('pointermove', move)
      splitter.addEventListener('lostpointercapture', () => splitter.removeEventListener('pointermove', move), { once: true })
    })
    splitter.addEventListener('keydown', ({ key }) => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[key]
      if (step) set(name, size() + direction * step * stepPx)
    })
  }
  window.addEventListener('resize', onResized)
}
