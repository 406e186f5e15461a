// Written by `yieldwire types`; what is changed here is lost when it is written again.
/* eslint-disable */

import type { Action } from "yieldwire"

export interface Actions {
  /**
   * Import contacts from a CSV file.
   * @throws `OUT_OF_CREDIT` The caller's credit is used up.
   */
  importContacts: Action<ImportContactsInput, Progress, Summary, "OUT_OF_CREDIT" | "TOO_MANY_ROWS">
  /**
   * Draw a shape *\/ and another.
   *
   * Whatever `it` is.
   */
  draw: Action<DrawInput, DrawChunk, Tree>
  keep: Action<OrderInput, never, Order>
  echoOdd: Action<EchoOddInput, never, readonly [Odd, unknown, Deep, FileOutput, Pair]>
  /** Take nothing, and answer nothing. */
  ping: Action<PingInput, never, null>
  watch: Action<WatchInput, unknown, unknown>
  countUp: Action<CountUpInput, CountUpChunk, number>
  suggestFeature: Action<SuggestFeatureInput, SuggestFeatureChunk, Plan, "BUDGET_EXCEEDED">
  sumUp: Action<SumUpInput, never, readonly SummaryOutput[]>
  sumMore: Action<SumMoreInput, never, null>
}

/** Text that a streamable value's text grows by. */
export interface Append {
  readonly type: "append"
  readonly text: string
}

/** Whatever is *\/ round. */
export interface Circle {
  readonly kind: "circle"
  readonly radius: number
}

/** Whatever is *\/ round. */
export interface CircleInput {
  /** @defaultValue "circle" */
  kind?: "circle"
  /** @defaultValue 1 */
  radius?: number
}

export type Colour = "red" | "blue"

export type CountUpChunk = ValueInt | Append

export interface CountUpInput {
  step: number
}

/** Itself, at any depth. */
export type Deep = number | readonly Deep[] | { readonly [key: string]: Deep }

export type DrawChunk = Circle | Square | Text | Progress

export interface DrawInput {
  shape: CircleInput & { kind: "circle" } | Square
  also: readonly (CircleInput & { kind: "circle" } | Square)[]
  tree?: TreeInput | null
}

export interface EchoOddInput {
  odd: OddInput
  loop: unknown
  deep: Deep
  file: FileOutput
}

/** A model that is named as what the text itself uses. */
export interface FileOutput {
  readonly path: string
}

export interface ImportContactsInput {
  file: File | Blob
  extra?: readonly (File | Blob)[] | null
  /**
   * Write nothing.
   * @defaultValue false
   */
  dry_run?: boolean
}

export type Level = 1 | 2

/** Names that are hard to write down. */
export interface Odd {
  readonly "a-b": number
  /** *\/ alert(1) /*  */
  readonly "say \"x\\\u2028": string
  /** @deprecated */
  readonly __proto__: number
  readonly "1": string
  readonly [key: string]: unknown
}

/** Names that are hard to write down. */
export interface OddInput {
  "a-b": number
  /** *\/ alert(1) /*  */
  "say \"x\\\u2028": string
  /**
   * @defaultValue 1
   * @deprecated
   */
  __proto__?: number
  /** @defaultValue "\"*\/" */
  "1"?: string
  [key: string]: unknown
}

/** An order, as it is taken and as it is kept. */
export interface Order {
  readonly id: string
  readonly at: string
  readonly day: string
  readonly price: string
  readonly colour: Colour
  readonly level: Level
  readonly size: "s" | "m" | 3 | null
  readonly pair: Pair
  readonly both: readonly [number, string | null]
  readonly many: readonly number[]
  readonly tags: readonly (string | number)[]
  readonly table: readonly (readonly (Colour | null)[])[]
  readonly counts: { readonly [key: string]: number | null }
  readonly by_colour: { readonly [key in "red" | "blue"]?: number }
  readonly by_number: { readonly [key: string]: string }
  readonly by_pattern: { readonly [key: string]: number }
  readonly sparse: Sparse
  readonly anything: unknown
  readonly note: string | null
  readonly raw: string
}

/** An order, as it is taken and as it is kept. */
export interface OrderInput {
  id: string
  at: string
  day: string
  price: number | string
  colour: Colour
  /** @defaultValue 1 */
  level?: Level
  size?: "s" | "m" | 3 | null
  pair: PairInput
  both: readonly [number, string | null]
  many: readonly number[]
  tags: readonly (string | number)[]
  table: readonly (readonly (Colour | null)[])[]
  counts: { [key: string]: number | null }
  by_colour: { [key in "red" | "blue"]?: number }
  by_number: { [key: string]: string }
  /** @defaultValue {} */
  by_pattern?: { [key: string]: number }
  sparse: Sparse
  anything: unknown
  note?: string | null
  /** @defaultValue "" */
  raw?: string
}

export type Pair = readonly [number, string]

export type PairInput = readonly [number, string?]

export type PingInput = { [key: string]: never }

export interface Plan {
  readonly suggestions: readonly string[]
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

export interface Sparse {
  readonly x?: number
}

export interface Square {
  readonly kind: "square"
  readonly side: number
}

export type SuggestFeatureChunk = Text | Progress

export interface SuggestFeatureInput {
  page: string
  /** @defaultValue "enhancement" */
  kind?: "enhancement" | "integration"
}

export interface SumMoreInput {
  of: readonly SummaryInput[]
}

export interface SumUpInput {
  of: SummaryOutput
}

/** What became of a file. */
export interface Summary {
  readonly rows: number
  readonly skipped: number
}

export interface SummaryInput {
  another: string
}

export interface SummaryOutput {
  readonly other: number
}

/** A piece of text; the pieces of a run accumulate. */
export interface Text {
  readonly type: "text"
  readonly text: string
}

export interface Tree {
  readonly name: string
  readonly children: readonly Tree[]
}

export interface TreeInput {
  name: string
  /** @defaultValue [] */
  children?: readonly TreeInput[]
}

/** A streamable value's new value; it replaces the one before. */
export interface ValueInt {
  readonly type: "value"
  readonly value: number
}

export interface WatchInput {
  /** @defaultValue 5 */
  limit?: number
}
