package floor

var NewStore = newStore
