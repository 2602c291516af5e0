// How every part asks for another look; main.js gives it, which uses all parts and so comes last.

/** `refresh` shows again what is known, `reread` asks anew and shows that. */
export const rounds = { refresh: () => {}, reread: async () => {} };
