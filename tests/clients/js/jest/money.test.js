describe('Invoice totals', () => {
  test('adds VAT once', () => { expect(100 * 1.2).toBeCloseTo(120) })
  test('half even: 2.5 → 2 "quoted" 日本', () => { expect(3).toBe(2) })
  test.skip('rounds at the end', () => {})
  test.todo('knows every currency')
})
