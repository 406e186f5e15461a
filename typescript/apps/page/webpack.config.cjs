module.exports = {
  mode: "production",
  target: "node",
  entry: `${__dirname}/page.js`,
  output: { path: `${__dirname}/dist/webpack`, filename: "page.cjs", library: { type: "commonjs2" } },
  devtool: false,
  optimization: { minimize: false }, // the frameworks would take a minute
};
