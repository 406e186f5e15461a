import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import "../../plain/style.css";
import { Chat } from "./Chat";
import { Import } from "./Import";
import { News } from "./News";
import { Order } from "./Order";

createRoot(document.getElementById("app")!).render(
  <StrictMode>
    <header>
      <h1>Yieldwire in React</h1>
      <a href="/vue/">in Vue</a>
      <a href="/">without a framework</a>
    </header>
    <main>
      <Import />
      <Chat />
      <News />
      <Order />
    </main>
  </StrictMode>,
);
