import type { FormEvent, ReactElement } from "react";
import type { FieldPath } from "yieldwire";
import { useStreamAction } from "yieldwire/react";
import type { Item, PlaceOrderInput } from "../../actions.gen";
import { actions } from "./client";

/** A form with nested fields; errors are shown next to their fields. */
export function Order() {
  const { execute, status, result, error } = useStreamAction(actions.placeOrder);

  function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    void execute(orderOf(new FormData(event.currentTarget)));
  }

  // A path that the input does not have does not compile.
  function field(label: string, path: FieldPath<PlaceOrderInput>, input: (attributes: object) => ReactElement) {
    const problems = error?.fieldErrors?.[path];
    return (
      <label>
        {label} {input({ name: path, "aria-invalid": problems !== undefined })}
        <small>{problems?.join(" ")}</small>
      </label>
    );
  }

  // The code tells the action's own errors apart.
  const problem = error?.code === "SOLD_OUT" ? "Sold out. Choose another product." : error?.message;

  return (
    <section id="order" data-status={status}>
      <h2>Order</h2>
      <form onSubmit={submit} noValidate>
        {field("Name", "customer.name", (attributes) => <input {...attributes} />)}
        {field("Email", "customer.email", (attributes) => <input type="email" {...attributes} />)}
        {field("Product", "items.0.product", (attributes) => (
          <select {...attributes}>
            <option>tea</option>
            <option>coffee</option>
            <option>cocoa</option>
          </select>
        ))}
        {field("Quantity", "items.0.quantity", (attributes) => <input type="number" defaultValue={1} {...attributes} />)}
        <button type="submit">Order</button>
      </form>
      <p role="status">{result?.text ?? problem}</p>
    </section>
  );
}

function orderOf(form: FormData): PlaceOrderInput {
  const text = (name: string) => String(form.get(name));
  return {
    customer: { name: text("customer.name"), email: text("customer.email") },
    items: [{ product: text("items.0.product") as Item["product"], quantity: Number(text("items.0.quantity")) }],
  };
}
