module.exports = { testEnvironment: "./page.js" };
