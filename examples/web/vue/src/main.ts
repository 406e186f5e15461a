import { createApp } from "vue";
import "../../plain/style.css";
import App from "./App.vue";

createApp(App).mount("#app");
