// No browser is needed: the tests do not ask for a page.
module.exports = { testDir: '.', retries: 1, reporter: process.env.PLAYWRIGHT_REPORTER === 'json'
  ? [['json', { outputFile: 'out.json' }]] : [['buildkite-test-collector/playwright/reporter']] };
