// Written by `yieldwire types`; what is changed here is lost when it is written again.
/* eslint-disable */

import type { Action } from "yieldwire"

export interface Actions {
  /**
   * Import contacts from a CSV file.
   * @throws `NOT_A_CSV` The file lacks the column `name` or `email`, or is not a CSV file in UTF-8.
   */
  importContacts: Action<ImportContactsInput, Progress, Summary, "NOT_A_CSV">
  /** Answer a message. */
  chat: Action<ChatInput, Text, null>
  /** Stream the news; produced once for all readers. */
  headlines: Action<HeadlinesInput, Headline, null>
  /**
   * Order products.
   * @throws `SOLD_OUT` A product is sold out.
   */
  placeOrder: Action<PlaceOrderInput, never, Receipt, "SOLD_OUT">
}

export interface ChatInput {
  message: string
}

/** The customer. */
export interface Customer {
  name: string
  email: string
}

/** A piece of news. */
export interface Headline {
  readonly number: number
  readonly title: string
}

export type HeadlinesInput = { [key: string]: never }

export interface ImportContactsInput {
  file: File | Blob
}

/** One product and its quantity. */
export interface Item {
  product: "tea" | "coffee" | "cocoa"
  quantity: number
}

export interface PlaceOrderInput {
  customer: Customer
  items: readonly Item[]
}

/**
 * How far the work is; the newest one wins.
 *
 * `percent` is `current` of `total` from 0 to 100, rounded to one decimal,
 * and `null` where the total is not known.
 */
export interface Progress {
  readonly type: "progress"
  readonly current: number
  readonly total: number | null
  readonly message: string | null
  readonly percent: number | null
}

/** What was ordered, and for whom. */
export interface Receipt {
  readonly text: string
}

/** The outcome of the import. */
export interface Summary {
  readonly imported: number
  readonly skipped: number
}

/** A piece of text; the pieces of a run accumulate. */
export interface Text {
  readonly type: "text"
  readonly text: string
}
