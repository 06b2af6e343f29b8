/** Writing structured fields (RFC 9651, 4.1), in the one way in which each value is written. */
import type { BareItem, Dictionary, InnerList, Item, Member, Parameters } from './structured-fields.ts'
import { isInnerList } from './structured-fields.ts'

function decimal(value: number): string {
  return value.toFixed(3).replace(/0{1,2}$/, '')
}

export function serializeString(value: string): string {
  return `"${value.replaceAll(/["\\]/g, '\\$&')}"`
}

export function serializeBareItem(item: BareItem): string {
  switch (item.type) {
    case 'integer':
      // There is no -0 among integers.
      return String(item.value === 0 ? 0 : item.value)
    case 'decimal':
      return decimal(item.value)
    case 'date':
      return `@${item.value === 0 ? 0 : item.value}`
    case 'string':
      return serializeString(item.value)
    case 'token':
      return item.value
    case 'boolean':
      return item.value ? '?1' : '?0'
    case 'bytes':
      return `:${item.value.toString('base64')}:`
    case 'display': {
      const bytes = [...Buffer.from(item.value)].map((byte) =>
        byte === 0x25 || byte === 0x22 || byte < 0x20 || byte > 0x7e
          ? `%${byte.toString(16).padStart(2, '0')}`
          : String.fromCharCode(byte),
      )
      return `%"${bytes.join('')}"`
    }
  }
}

export function serializeParameters(parameters: Parameters): string {
  let text = ''
  for (const [key, value] of parameters) {
    text += value.type === 'boolean' && value.value ? `;${key}` : `;${key}=${serializeBareItem(value)}`
  }
  return text
}

export function serializeItem({ item, parameters }: Item): string {
  return serializeBareItem(item) + serializeParameters(parameters)
}

export function serializeInnerList({ items, parameters }: InnerList): string {
  return `(${items.map(serializeItem).join(' ')})${serializeParameters(parameters)}`
}

export function serializeMember(member: Member): string {
  return isInnerList(member) ? serializeInnerList(member) : serializeItem(member)
}

export function serializeDictionary(members: Dictionary): string {
  return [...members]
    .map(([key, member]) =>
      !isInnerList(member) && member.item.type === 'boolean' && member.item.value
        ? key + serializeParameters(member.parameters)
        : `${key}=${serializeMember(member)}`,
    )
    .join(', ')
}
