// Package browser uses the photo-board in a headless Chromium, as a person would: it signs up, makes a board, uploads a picture, and waits for
// the resized copy. The platform is the real binary with the example deployed by `lambent up`; the page is driven by test/js/photoboard.mjs
// through playwright-core. A screenshot stays in artifacts/, which git ignores.
package browser
